package cataloguefile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/keyward/keyward/internal/cataloguefile"
	"github.com/keyward/keyward/internal/perm"
)

const good = `# what the shop's keys may do
- {resource: orders, action: read, description: See orders}
- resource: orders
  action: write
`

func TestBothFormsGiveTheSameCatalogueInTheFilesOrder(t *testing.T) {
	t.Parallel()
	want := []perm.Entry{
		{Resource: "orders", Action: "read", Description: "See orders"}, {Resource: "orders", Action: "write"},
	}
	mapping := "permissions:\n" + strings.ReplaceAll("  "+strings.SplitN(good, "\n", 2)[1], "\n", "\n  ")
	for name, data := range map[string]string{"list": good, "mapping": strings.TrimRight(mapping, " ")} {
		c, err := cataloguefile.Parse("c.yaml", []byte(data))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, c.Entries()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhatIsWrongIsSaidWithLineAndColumn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ file, want string }{
		"nothing":          {"", "c.yaml:1:1: there is nothing in the file"},
		"only a comment":   {"# later\n", "c.yaml:1:1: there is nothing in the file"},
		"text":             {"orders:read", "c.yaml:1:1: want a list of permissions, not text"},
		"syntax":           {"- resource: orders\n  action: [", "c.yaml:2:1: "},
		"tab":              {"- resource: orders\n\taction: read", "c.yaml:2:1: "},
		"no list":          {"permissions: 7", "c.yaml:1:14: permissions: want a list, not the number 7"},
		"other mapping":    {"version: 1\npermissions: []", `c.yaml:1:1: unknown member "version"`},
		"without the list": {"{}", "c.yaml:1:1: there is no member permissions"},
		"empty list":       {"permissions: []", "c.yaml:1:14: "},
		"name for an entry": {"- {resource: a, action: b}\n- orders:read",
			"c.yaml:2:3: want {resource, action, description}, not text"},
		"unknown member": {"- resource: orders\n  akction: read",
			`c.yaml:2:3: unknown member "akction": want resource, action, description`},
		"other case":       {"- Resource: orders\n  action: read", `c.yaml:1:3: unknown member "Resource"`},
		"duplicate member": {"- resource: orders\n  action: read\n  action: write", "c.yaml:3:3: action stands twice"},
		"no action":        {"- resource: orders", "c.yaml:1:3: there is no action"},
		"truth value": {"- {resource: orders, action: true}",
			"c.yaml:1:30: action: want text, not the truth value true"},
		"null":     {"- {resource: orders, action: }", "c.yaml:1:30: action: want text, not nothing"},
		"bad name": {"- {resource: Orders, action: read}", "c.yaml:1:14: resource: "},
		"duplicate entry": {"- {resource: a, action: b}\n- {resource: a, action: b}",
			"c.yaml:2:3: a:b stands already at entry 1"},
		"line break": {"- {resource: a, action: b, description: \"x\\ny\"}",
			"c.yaml:1:41: description: holds a character"},
		"long description": {"- {resource: a, action: b, description: " + strings.Repeat("x", 501) + "}",
			"c.yaml:1:41: description: is longer"},
		"anchor":             {"- &x {resource: a, action: b}", "c.yaml:1:3: anchors are not allowed"},
		"alias":              {"- {resource: a, action: b}\n- *x", "c.yaml:"},
		"merge":              {"- {resource: a, action: b, <<: {description: x}}", `c.yaml:1:28: unknown member "<<"`},
		"two documents":      {"- {resource: a, action: b}\n---\n- {resource: a, action: c}", "a second document"},
		"more than the most": {strings.Repeat("#", cataloguefile.MaxSize+1), "c.yaml:1:1: is larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := cataloguefile.Parse("c.yaml", []byte(tc.file))
			if err == nil || !strings.HasPrefix(err.Error(), "c.yaml:") || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has more than one line: %q", err)
			}
		})
	}
}

func TestACatalogueWithoutKeywardsOwnPermissionsSaysWhichItLacks(t *testing.T) {
	t.Parallel()
	if missing := cataloguefile.Missing(perm.Builtin()); len(missing) > 0 {
		t.Errorf("the built-in catalogue lacks %v", missing)
	}
	c, err := cataloguefile.Parse("c.yaml", []byte(good+"- {resource: api-keys, action: read}\n"))
	if err != nil {
		t.Fatal(err)
	}
	missing := cataloguefile.Missing(c)
	if len(missing) == 0 || missing[0] != "api-keys:write" {
		t.Errorf("missing: %v", missing)
	}
}

func TestAFileIsReadByItsPath(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "catalogue.yaml")
	if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := cataloguefile.Read(path); err != nil || c.Len() != 2 {
		t.Errorf("%v, %v", c, err)
	}
	if _, err := cataloguefile.Read(path + ".not"); err == nil {
		t.Error("a file that is not there was read")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("permissions: [{resource: a, action: b}]"))
	f.Add([]byte("&a [*a, *a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := cataloguefile.Parse("c.yaml", data)
		if err == nil && c.Len() == 0 {
			t.Error("an empty catalogue was accepted")
		}
		if err != nil && !strings.HasPrefix(err.Error(), "c.yaml:") {
			t.Errorf("no place in %q", err)
		}
	})
}
