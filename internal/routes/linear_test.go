package routes_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/routes"
)

// T58: neither a file nor a path makes matching slow. A matcher that tried every way again from its beginning would
// take 2¹² times 2¹² steps for each of these paths; going through the tree once takes 2¹².
func TestT58APathIsMatchedInOneWalk(t *testing.T) {
	t.Parallel()
	const depth = 12
	var file strings.Builder
	file.WriteString("routes:\n")
	for i := range 1 << depth {
		path := ""
		for level := range depth {
			if i>>level&1 == 0 {
				path += "/x"
			} else {
				path += fmt.Sprintf("/{p%d}", level)
			}
		}
		fmt.Fprintf(&file, "- {method: GET, path: '%s/end', public: true}\n", path)
	}
	table := parse(t, file.String())
	for range 1000 {
		if r := table.Match("GET", strings.Repeat("/x", depth)+"/other"); r != nil {
			t.Fatalf("matched by %s", r.Signature())
		}
	}
	if table.Match("GET", strings.Repeat("/y", depth)+"/end") == nil {
		t.Error("the rule of parameters alone does not match")
	}
	if r := table.Match("GET", strings.Repeat("/x", 1<<19)); r != nil { // a mebibyte
		t.Errorf("matched by %s", r.Signature())
	}
	long := "routes:\n- {method: GET, path: '/" + strings.Repeat("a", 4096) + "', public: true}"
	if _, err := routes.Parse("routes.yaml", []byte(long), perm.Builtin()); err == nil ||
		!strings.Contains(err.Error(), "path") {
		t.Errorf("a pattern of 4 KiB: %v", err)
	}
}
