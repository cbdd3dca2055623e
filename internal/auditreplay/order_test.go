package auditreplay_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/auditreplay"
	"github.com/keyward/keyward/internal/id"
)

// history makes lines of an export, oldest first, a minute apart, each a change of one of three keys that finds the
// state left by the one before.
func history(t interface{ Fatal(...any) }, n int, at func(i int) time.Time) (lines []string) {
	left := map[string]int{}
	for i := range n {
		key := fmt.Sprintf("k%d", i%3)
		metadata := map[string]any{
			"target": key, "before": map[string]int{"requestsPerDay": left[key]},
			"after": map[string]int{"requestsPerDay": i + 1},
		}
		left[key] = i + 1
		line, err := json.Marshal(
			map[string]any{
				"id": fmt.Sprintf("e%03d", i), "workspaceId": "w", "eventType": "api_key.updated", "createdAt": at(i),
				"metadata": metadata,
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	return lines
}

func minutes(i int) time.Time {
	return time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Minute)
}

func readIDs(t interface{ Fatal(...any) }, text string) (ids []string) {
	all, err := auditreplay.Read(auditreplay.File{Reader: strings.NewReader(text)})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		ids = append(ids, string(e.ID))
	}
	return ids
}

// Exports are put one behind the other by people, each in its own order, overlapping or not, the newer ones first or
// last.
func TestT103ExportsOfMixedOrderInOneFileAreOneJournal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "events")
		lines := history(t, n, minutes)
		covered := make([]bool, n)
		var parts [][]string
		for k := range rapid.IntRange(1, 4).Draw(t, "exports") {
			from := rapid.IntRange(0, n-1).Draw(t, fmt.Sprintf("from %d", k))
			to := rapid.IntRange(from, n-1).Draw(t, fmt.Sprintf("to %d", k))
			part := slices.Clone(lines[from : to+1])
			if rapid.Bool().Draw(t, fmt.Sprintf("newest first %d", k)) {
				slices.Reverse(part)
			}
			for i := from; i <= to; i++ {
				covered[i] = true
			}
			parts = append(parts, part)
		}
		var want []string
		for i, is := range covered {
			if is {
				want = append(want, fmt.Sprintf("e%03d", i))
			}
		}
		got := readIDs(t, strings.Join(slices.Concat(parts...), "\n"))
		if len(got) != len(want) || !slices.Equal(perKey(got), perKey(want)) {
			t.Fatalf("read as %v, want %v", got, want)
		}
	})
}

// perKey lists the events of each key in turn: of different keys the order does not matter.
func perKey(ids []string) (out []string) {
	for k := range 3 {
		for _, e := range ids {
			var i int
			_, _ = fmt.Sscanf(e, "e%d", &i)
			if i%3 == k {
				out = append(out, e)
			}
		}
	}
	return out
}

// Two exports of one log whose clock was put right in between: the state that each change found gives their order.
func TestT103TwoExportsWhoseTimesFallAreOneJournal(t *testing.T) {
	t.Parallel()
	lines := history(t, 24, func(i int) time.Time {
		if i < 9 { // by a clock that was three years ahead
			return minutes(i).AddDate(3, 0, 0)
		}
		return minutes(i)
	})
	var want []string
	for i := range lines {
		want = append(want, fmt.Sprintf("e%03d", i))
	}
	newest := slices.Clone(lines)
	slices.Reverse(newest)
	for name, file := range map[string][]string{
		"one, oldest first": lines, "one, newest first": newest, "both": slices.Concat(lines, newest),
		"both, the other way": slices.Concat(newest, lines),
	} {
		if diff := cmp.Diff(want, readIDs(t, strings.Join(file, "\n"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// archived writes events as an archive does.
func archived(t *testing.T, from, to int64) string {
	t.Helper()
	var b strings.Builder
	var before [32]byte
	var body strings.Builder
	for seq := from; seq <= to; seq++ {
		e := audit.Event{
			Seq: seq, ID: id.Event(fmt.Sprintf("e%03d", seq)), Type: audit.APIKeyUpdated, Workspace: "w",
			CreatedAt: minutes(int(seq)), Metadata: `{"target":"k"}`,
		}
		e.Hash = e.Chain(before)
		if err := audit.WriteSegmentEvent(&body, &e, before); err != nil {
			t.Fatal(err)
		}
		before = e.Hash
	}
	if err := audit.WriteSegmentHeader(&b,
		audit.Cut{From: from, To: to, Before: audit.Hex([32]byte{}), Last: audit.Hex(before)}); err != nil {
		t.Fatal(err)
	}
	return b.String() + body.String()
}

func TestArchivesAndExportsAreOneJournal(t *testing.T) {
	t.Parallel()
	first, second := archived(t, 1, 4), archived(t, 5, 8)
	export := history(t, 13, minutes)[7:] // e007 to e012
	slices.Reverse(export)
	var want []string
	for i := 1; i <= 12; i++ {
		want = append(want, fmt.Sprintf("e%03d", i))
	}
	for name, file := range map[string]string{
		"in turn":          first + second + strings.Join(export, "\n"),
		"the export first": strings.Join(export, "\n") + "\n" + second + "\n" + first,
	} {
		if diff := cmp.Diff(want, readIDs(t, file)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	lines := strings.SplitAfter(first, "\n")
	for name, broken := range map[string]string{
		"cut short": strings.Join(lines[:4], ""), "with a line less": lines[0] + lines[1] + strings.Join(lines[3:], ""),
		"another archive within": lines[0] + lines[1] + second,
	} {
		if _, err := auditreplay.Read(auditreplay.File{Reader: strings.NewReader(broken)}); err == nil {
			t.Errorf("an archive that is %s is taken for a journal", name)
		}
	}
}

// BenchmarkRead measures the reading that a restore waits for.
func BenchmarkRead(b *testing.B) {
	lines := history(b, 20_000, minutes)
	slices.Reverse(lines)
	text := strings.Join(lines, "\n")
	for b.Loop() {
		readIDs(b, text)
	}
}
