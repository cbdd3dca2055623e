// Package archtest owns the rules about the structure of this tree, as code: the imports of each room, the use of the
// clock, the length of files and functions, the dependencies. It reads source only, with go/parser, so that it costs
// a fraction of a second and needs no build. It does not own the table itself: that is data, in the tests beside it.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Tree is the source of one module, as far as the rules look at it.
type Tree struct {
	Packages []Package // by path
}

// Package is one directory with Go files in it.
type Package struct {
	Path  string // relative to the module's root, "." for the root itself
	Name  string // as the package clause says, without the _test of an external test package
	Files []File // by name
}

// File is one Go file.
type File struct {
	Path       string // relative to the module's root
	Test       bool
	Generated  bool
	Lines      int
	Imports    []string
	Functions  []Function
	ClockReads []int // lines
	Wide       []Line
	Nameless   []Line // exported declarations whose comment is not there, or does not begin with their name
}

// Line is a line of a file: a wide one with its characters, or a declaration with its name.
type Line struct {
	Line       int
	Characters int
	Name       string
}

// Function is a declared function or method.
type Function struct {
	Name  string
	Line  int
	Lines int
}

// Load reads every Go file under root. Like the go command it passes over testdata, vendor, names that begin with a dot
// or an underscore, and directories that are modules of their own.
func Load(root fs.FS) (Tree, error) {
	packages := map[string]*Package{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return enter(root, name)
		case path.Ext(name) != ".go":
			return nil
		}
		return add(packages, root, name)
	})
	if err != nil {
		return Tree{}, fmt.Errorf("read the tree: %w", err)
	}

	var tree Tree
	for _, p := range packages {
		tree.Packages = append(tree.Packages, *p)
	}
	slices.SortFunc(tree.Packages, func(a, b Package) int { return strings.Compare(a.Path, b.Path) })
	return tree, nil
}

// enter answers fs.SkipDir for a directory that is not part of the module.
func enter(root fs.FS, name string) error {
	if name == "." {
		return nil
	}
	base := path.Base(name)
	if base == "testdata" || base == "vendor" || base[0] == '.' || base[0] == '_' {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func add(packages map[string]*Package, root fs.FS, name string) error {
	source, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	file, packageName, err := parse(name, source)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	p := packages[dir]
	if p == nil {
		p = &Package{Path: dir}
		packages[dir] = p
	}
	p.Files = append(p.Files, file)
	if !file.Test || p.Name == "" {
		p.Name = packageName
	}
	return nil
}

// parse reads one file; the second result is the name of its package.
func parse(name string, source []byte) (File, string, error) {
	positions := token.NewFileSet()
	syntax, err := parser.ParseFile(positions, name, source, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		return File{}, "", err
	}
	line := func(p token.Pos) int { return positions.Position(p).Line }

	file := File{
		Path: name, Test: strings.HasSuffix(name, "_test.go"), Generated: ast.IsGenerated(syntax),
		Lines: strings.Count(string(source), "\n"),
	}
	clock := ""
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return File{}, "", fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		file.Imports = append(file.Imports, imported)
		if imported == "time" {
			clock = localName(spec, "time")
		}
	}
	for _, declaration := range syntax.Decls {
		if f, ok := declaration.(*ast.FuncDecl); ok {
			first, last := line(f.Pos()), line(f.End())
			file.Functions = append(file.Functions, Function{Name: f.Name.Name, Line: first, Lines: last - first + 1})
		}
	}
	for _, read := range clockReads(syntax, clock) {
		file.ClockReads = append(file.ClockReads, line(read))
	}
	file.Wide = wide(positions, syntax, string(source))
	file.Nameless = nameless(positions, syntax)
	return file, strings.TrimSuffix(syntax.Name.Name, "_test"), nil
}

// localName is the name by which a file speaks of an import.
func localName(spec *ast.ImportSpec, usual string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	return usual
}

// clockReads finds where a file reads the clock, whether it calls the function or passes it on. Since and Until read it
// too.
func clockReads(syntax *ast.File, clock string) []token.Pos {
	var found []token.Pos
	ast.Inspect(syntax, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		of, ok := selector.X.(*ast.Ident)
		if !ok || clock == "" || of.Name != clock {
			return true
		}
		switch selector.Sel.Name {
		case "Now", "Since", "Until":
			found = append(found, selector.Pos())
		}
		return true
	})
	return found
}
