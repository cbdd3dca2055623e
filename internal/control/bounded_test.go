package control

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Every function that may look at maxSearched rows waits for its turn by search: else a member could fill all
// readers of the database with such looks.
func TestEveryLongLookIsASearchT105(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	long := 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, is := d.(*ast.FuncDecl)
			if !is || !names(f, "maxSearched") {
				continue
			}
			long++
			if !names(f, "search") {
				t.Errorf("%s looks at maxSearched rows without a turn", f.Name.Name)
			}
		}
	}
	if long < 4 {
		t.Errorf("only %d functions are found", long)
	}
}

// names tells whether a function's body uses a name.
func names(f *ast.FuncDecl, name string) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		one, is := n.(*ast.Ident)
		found = found || is && one.Name == name
		return true
	})
	return found
}
