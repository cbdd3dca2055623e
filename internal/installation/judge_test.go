package installation_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/installation"
	"github.com/keyward/keyward/internal/store"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// sound is a condition with nothing to look at.
func sound() installation.Condition {
	return installation.Condition{
		Machine: installation.Machine{
			Database: "sqlite", Bytes: 1 << 20, Free: 50 << 30, FreeKnown: true, Certificate: now.Add(60 * day),
			BackupsOwn: true,
		},
		Installation: control.Installation{Now: now, Backup: store.Backup{At: now.Add(-day), Bytes: 1 << 20}},
		Nodes: []cluster.Member{
			{Node: store.Node{Address: "http://a", Applied: 7, Seen: now}, Self: true},
			{Node: store.Node{Address: "http://b", Applied: 7, Seen: now}},
		},
	}
}

// TestEachConditionIsNamed changes one thing of a sound installation at a time, at both sides of each bound.
func TestEachConditionIsNamed(t *testing.T) {
	t.Parallel()
	b := func(c *installation.Condition) *cluster.Member { return &c.Nodes[1] }
	cases := []struct {
		name   string
		change func(*installation.Condition)
		want   string // codes with their severities, the most pressing first
	}{
		{"nothing", func(*installation.Condition) {}, ""},
		{"silent", func(c *installation.Condition) { b(c).Fenced = true }, "node_fenced critical"},
		{"loading", func(c *installation.Condition) { b(c).Applied = -1 }, "node_loading warning"},
		{"lacking", func(c *installation.Condition) { b(c).Lacks = "k2" }, "node_lacks_pepper critical"},
		{"another catalogue", func(c *installation.Condition) { b(c).Differs = []string{cluster.SettingCatalogue} },
			"node_differs warning"},
		{"a clock within bounds", func(c *installation.Condition) { b(c).Skew = -1999 * time.Millisecond }, ""},
		{"a clock behind", func(c *installation.Condition) { b(c).Skew = -2 * time.Second }, "clock_skewed warning"},
		{"a clock far ahead", func(c *installation.Condition) { b(c).Skew = 16 * time.Second }, "clock_skewed critical"},
		{"a full disk", func(c *installation.Condition) { c.Full = true }, "disk_full critical"},
		{"a disk that is read-only", func(c *installation.Condition) { c.ReadOnly = true }, "disk_full critical"},
		{"little room", func(c *installation.Condition) { c.Free = 1<<30 - 1 }, "disk_low warning"},
		{"less than the database", func(c *installation.Condition) { c.Bytes = 60 << 30 }, "disk_low warning"},
		{"room unknown", func(c *installation.Condition) { c.Free, c.FreeKnown = 0, false }, ""},
		{"no TLS", func(c *installation.Condition) { c.Certificate = time.Time{} }, ""},
		{"fifteen days left", func(c *installation.Condition) { c.Certificate = now.Add(15 * day) }, ""},
		{"fourteen days left", func(c *installation.Condition) { c.Certificate = now.Add(14 * day) },
			"certificate_ends warning"},
		{"none left", func(c *installation.Condition) { c.Certificate = now }, "certificate_ended critical"},
		{"no backup", func(c *installation.Condition) { c.Backup = store.Backup{} }, "backup_missing warning"},
		{"a week", func(c *installation.Condition) { c.Backup.At = now.Add(-7 * day) }, ""},
		{"more than a week", func(c *installation.Condition) { c.Backup.At = now.Add(-7*day - 1) }, "backup_old warning"},
		{"keys for ever", func(c *installation.Condition) { c.WithoutExpiry = 3 }, "keys_without_expiry notice"},
		{"much at once", func(c *installation.Condition) {
			c.WithoutExpiry, c.Backup, b(c).Fenced, c.Full = 1, store.Backup{}, true, true
		}, "node_fenced critical, disk_full critical, backup_missing warning, keys_without_expiry notice"},
	}
	seen := map[installation.Code]bool{}
	for _, one := range cases {
		c := sound()
		one.change(&c)
		var got []string
		for _, a := range installation.Judge(&c) {
			got = append(got, string(a.Code)+" "+string(a.Severity))
			seen[a.Code] = true
			if !strings.HasSuffix(a.Message, ".") || !strings.HasSuffix(a.Action, ".") {
				t.Errorf("%s: %q, %q are not sentences", one.name, a.Message, a.Action)
			}
		}
		if strings.Join(got, ", ") != one.want {
			t.Errorf("%s: %q, want %q", one.name, strings.Join(got, ", "), one.want)
		}
	}
	for _, code := range installation.Codes {
		if !seen[code] {
			t.Errorf("%s: no case leads to it", code)
		}
	}
}

// TestTheReferenceNamesEachCode holds the document of the API against the codes.
func TestTheReferenceNamesEachCode(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, code := range installation.Codes {
		names = append(names, string(code))
		if !strings.Contains(string(raw), "| `"+string(code)+"` |") {
			t.Errorf("%s is not explained", code)
		}
	}
	if !strings.Contains(string(raw), "enum: ["+strings.Join(names, ", ")+"]") {
		t.Error("the schema lists other codes")
	}
}

// TestReadyNodesAreCounted leaves out each node that answers no verification.
func TestReadyNodesAreCounted(t *testing.T) {
	t.Parallel()
	c := sound()
	for _, change := range []func(*cluster.Member){
		func(m *cluster.Member) { m.Fenced = true }, func(m *cluster.Member) { m.Applied = -1 },
		func(m *cluster.Member) { m.Lacks = "k2" }, func(m *cluster.Member) { m.Skew = time.Minute },
	} {
		m := c.Nodes[0]
		change(&m)
		c.Nodes = append(slices.Clip(c.Nodes), m)
	}
	if n := c.Ready(); n != 2 {
		t.Errorf("%d of %d nodes are ready, want 2", n, len(c.Nodes))
	}
}

func TestSizesAreRead(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 bytes", 1023: "1023 bytes", 1536: "1.5 KiB", 3 << 30: "3.0 GiB", 5 << 40: "5.0 TiB", 5000 << 40: "5000.0 TiB",
	} {
		if got := installation.Size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
