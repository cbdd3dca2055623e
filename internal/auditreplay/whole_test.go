package auditreplay_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/auditreplay"
	"github.com/keyward/keyward/internal/id"
)

// later reads a journal as a restore does.
func later(lines []string, known map[id.Event]bool, last audit.Event) (auditreplay.Later, error) {
	journal := strings.NewReader(strings.Join(lines, "\n"))
	all, err := auditreplay.Read(auditreplay.File{Name: "log.ndjson", Reader: journal})
	if err != nil {
		return auditreplay.Later{}, err
	}
	return auditreplay.After(all, last, func(e id.Event) bool { return known[e] })
}

// hashes name the entries and what stands in them, since they are checked.
func hashes(l auditreplay.Later) (out []string) {
	for i := range l.Entries {
		out = append(out, l.Entries[i].Hash)
	}
	return out
}

// A journal of which a line is missing or was edited is refused, with the place. One whose lines are doubled, or stand
// in another order, is whole.
func TestT103AJournalIsWholeOrRefused(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(base, strconv.Itoa(n))
		check(t, os.Mkdir(dir, 0o700))
		h := newHouse(t, dir)
		h.draw = t
		defer h.db.Close()
		for range rapid.IntRange(1, 8).Draw(t, "before") {
			h.step()
		}
		known, last := events(t, h.db)
		for range rapid.IntRange(4, 16).Draw(t, "after") {
			h.step()
		}
		lines := strings.Split(strings.TrimSpace(string(h.journal())), "\n") // newest first
		whole, err := later(lines, known, last)
		if err != nil || !whole.Proven || whole.Elsewhere != 0 || len(whole.Entries) != len(lines)-int(last.Seq) {
			t.Fatalf("the whole journal: %d of %d lines behind event %d, %+v, %v", len(whole.Entries), len(lines), last.Seq,
				whole.Proven, err)
		}
		young := len(whole.Entries) // the first so many lines
		if young < 2 {
			return
		}
		for range 10 {
			i := rapid.IntRange(1, young-1).Draw(t, "a line")
			harmed := slices.Clone(lines)
			switch how := rapid.IntRange(0, 4).Draw(t, "how"); how {
			case 0:
				harmed = slices.Delete(harmed, i, i+1)
				wantRefused(t, harmed, known, last, i, young)
			case 1:
				j := rapid.IntRange(0, len(lines)).Draw(t, "where it comes again")
				wantSame(t, slices.Insert(harmed, j, lines[i]), known, last, whole)
			case 2:
				j := rapid.IntRange(0, len(lines)-1).Draw(t, "the other")
				harmed[i], harmed[j] = harmed[j], harmed[i]
				wantSame(t, harmed, known, last, whole)
			case 3:
				harmed[i] = edited(t, lines[i])
				if got, err := later(harmed, known, last); err == nil {
					t.Fatalf("%s\nfor\n%s: nothing was seen, %d entries", harmed[i], lines[i], len(got.Entries))
				}
			case 4:
				cut := rapid.IntRange(1, len(lines[i])-1).Draw(t, "cut off at")
				harmed = append(harmed[:i:i], lines[i][:cut])
				_, err := later(harmed, known, last)
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("line %d is cut off", i+1)) {
					t.Fatalf("a line that is cut off: %v", err)
				}
			}
		}
	})
}

func wantRefused(t *rapid.T, lines []string, known map[id.Event]bool, last audit.Event, missing, young int) {
	t.Helper()
	_, err := later(lines, known, last)
	if missing == young-1 { // the one behind the backup
		if !errors.Is(err, auditreplay.ErrGap) {
			t.Fatalf("a journal that begins later: %v", err)
		}
		return
	}
	want := fmt.Sprintf("line %d is event %d, and event %d is missing", missing, last.Seq+int64(young-missing+1),
		last.Seq+int64(young-missing))
	if !errors.Is(err, auditreplay.ErrNotWhole) || !strings.Contains(err.Error(), want) {
		t.Fatalf("a missing line: %v, want %q", err, want)
	}
}

func wantSame(t *rapid.T, lines []string, known map[id.Event]bool, last audit.Event, whole auditreplay.Later) {
	t.Helper()
	got, err := later(lines, known, last)
	if err != nil || !got.Proven || !slices.Equal(hashes(got), hashes(whole)) {
		t.Fatalf("%d entries of %d: %v", len(got.Entries), len(whole.Entries), err)
	}
}

// edited changes one member of a line.
func edited(t *rapid.T, line string) string {
	var members map[string]any
	check(t, json.Unmarshal([]byte(line), &members))
	switch name := rapid.SampledFrom([]string{"id", "workspaceId", "eventType", "createdAt", "metadata", "seq", "hash",
		"actorId", "eventDescription"}).Draw(t, "member"); name {
	case "seq":
		if rapid.Bool().Draw(t, "taken away") {
			delete(members, name)
			break
		}
		members[name] = members[name].(float64) + 1
	case "metadata":
		members[name] = map[string]any{"target": "other"}
	case "createdAt":
		members[name] = "2020-01-01T00:00:00.000Z"
	case "hash":
		members[name] = strings.Repeat("0", 64)
	default:
		members[name] = "other"
	}
	out, err := json.Marshal(members)
	check(t, err)
	return string(out)
}

// An export without numbers is of an earlier release, or of one workspace. It is read, and not called whole.
func TestT103AJournalWithoutNumbersIsNotProven(t *testing.T) {
	t.Parallel()
	lines := history(t, 4, minutes)
	got, err := later(lines, map[id.Event]bool{"e000": true, "e001": true}, audit.Event{Seq: 2, ID: "e001"})
	if err != nil || got.Proven || len(got.Entries) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A restore ends a history. A journal that is kept through it has both, and the events that a later backup's history
// does not have stay away from it.
func TestT103AJournalOfTwoHistories(t *testing.T) {
	t.Parallel()
	begin := chainOf(audit.Event{}, "a", 3)
	old := chainOf(begin[2], "old", 3)
	young := chainOf(begin[2], "new", 4)
	lines := slices.Concat(linesOf(t, begin), linesOf(t, young), linesOf(t, old))
	ids := func(events []audit.Event) (out []string) {
		for _, e := range events {
			out = append(out, string(e.ID))
		}
		return out
	}
	for what, c := range map[string]struct {
		log       []audit.Event
		want      []string
		elsewhere int
	}{
		"a backup from before the restore": {begin, slices.Concat(ids(old), ids(young)), 0},
		"a backup from after it":           {slices.Concat(begin, young[:1]), ids(young[1:]), 3},
	} {
		known := map[id.Event]bool{}
		for _, e := range c.log {
			known[e.ID] = true
		}
		got, err := later(lines, known, c.log[len(c.log)-1])
		var found []string
		for i := range got.Entries {
			found = append(found, string(got.Entries[i].ID))
		}
		if err != nil || !slices.Equal(found, c.want) || got.Elsewhere != c.elsewhere {
			t.Errorf("%s: %v, %d elsewhere, %v", what, found, got.Elsewhere, err)
		}
	}
}

// An event of an earlier release has separators of lines as they are in what its hash covers.
func TestT103ASeparatorOfAnEarlierReleaseIsNoEdit(t *testing.T) {
	t.Parallel()
	e := audit.Event{Seq: 1, ID: "e", Type: audit.SessionStarted, CreatedAt: minutes(0)}
	e.Metadata = "{\"target\":\"\u2028\"}"
	e.Hash = e.Chain([32]byte{})
	e.Metadata = audit.LineOf(e.Metadata)
	if e.Metadata != `{"target":"\u2028"}` || !e.Follows([32]byte{}) || e.Follows([32]byte{1}) {
		t.Errorf("%s", e.Metadata)
	}
}

func chainOf(after audit.Event, name string, n int) (out []audit.Event) {
	for i := range n {
		e := audit.Event{Seq: after.Seq + 1, ID: id.Event(fmt.Sprint(name, i)), Type: audit.SessionStarted,
			CreatedAt: minutes(int(after.Seq)), Metadata: "{}"}
		if name == "new" {
			e.CreatedAt = minutes(100 + i)
		}
		e.Hash = e.Chain(after.Hash)
		out = append(out, e)
		after = e
	}
	return out
}

func linesOf(t *testing.T, events []audit.Event) (lines []string) {
	for _, e := range events {
		line, err := json.Marshal(map[string]any{"seq": e.Seq, "id": e.ID, "eventType": e.Type, "metadata": map[string]any{},
			"createdAt": e.CreatedAt.Format("2006-01-02T15:04:05.000Z"), "hash": audit.Hex(e.Hash)})
		check(t, err)
		lines = append(lines, string(line))
	}
	return lines
}
