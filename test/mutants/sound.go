package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// check reports every mutant of the module in root that is unsound: its lines are not in the file, the changed package
// does not compile, or no test has its name. It runs no test: it parses a package and checks its types, which takes
// milliseconds, so that each commit can check all mutants and not only the part that it runs.
func check(root string, all []mutant, out io.Writer) error {
	modules := map[string]*module{}
	wrong := 0
	for _, m := range all {
		dir := moduleOf(root, m.file)
		if modules[dir] == nil {
			loaded, err := load(dir)
			if err != nil {
				return err
			}
			modules[dir] = loaded
		}
		if err := modules[dir].sound(root, m); err != nil {
			fmt.Fprintf(out, "%s: %q: %v\n", m.at, m.name, err)
			wrong++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d mutants are unsound", wrong, len(all))
	}
	fmt.Fprintf(out, "%d mutants apply, compile and name a test\n", len(all))
	return nil
}

// module is what the go command tells of a module and of everything that its packages import.
type module struct {
	dir      string
	exports  map[string]string // the file of export data, by import path
	packages map[string]listed // the module's own, by directory
	files    *token.FileSet
	imports  types.Importer
}

// listed is a part of what go list -json prints of a package.
type listed struct {
	ImportPath string
	Dir        string
	Export     string
	GoFiles    []string
	Standard   bool
}

// load lists the module in dir. The go command compiles what is not in its cache.
func load(dir string) (*module, error) {
	list := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,Standard", "./...")
	list.Dir = dir
	var stderr bytes.Buffer
	list.Stderr = &stderr
	raw, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, &stderr)
	}
	m := &module{
		dir: dir, exports: map[string]string{}, packages: map[string]listed{}, files: token.NewFileSet(),
	}
	for d := json.NewDecoder(bytes.NewReader(raw)); ; {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		m.exports[p.ImportPath] = p.Export
		if !p.Standard {
			m.packages[p.Dir] = p
		}
	}
	m.imports = importer.ForCompiler(m.files, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(m.exports[path])
	})
	return m, nil
}

// sound returns why a mutant is unsound, or nil.
func (m *module) sound(root string, mutant mutant) error {
	changed, err := mutant.apply(root)
	if err != nil {
		return err
	}
	path, err := filepath.Abs(filepath.Join(root, mutant.file))
	if err != nil {
		return err
	}
	if filepath.Ext(path) != ".go" {
		return hasTest(filepath.Join(m.dir, mutant.pkg), mutant.run)
	}
	p, known := m.packages[filepath.Dir(path)]
	if !known || !slices.Contains(p.GoFiles, filepath.Base(path)) {
		return fmt.Errorf("%s is not compiled on this platform", mutant.file)
	}
	if err := m.compile(p, filepath.Base(path), changed); err != nil {
		return err
	}
	return hasTest(filepath.Join(m.dir, mutant.pkg), mutant.run)
}

// compile checks the types of a package in which one file has another text.
func (m *module) compile(p listed, name, text string) error {
	var files []*ast.File
	for _, file := range p.GoFiles {
		var source any
		if file == name {
			source = text
		}
		parsed, err := parser.ParseFile(m.files, filepath.Join(p.Dir, file), source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, parsed)
	}
	_, err := (&types.Config{Importer: m.imports}).Check(p.ImportPath, m.files, files, nil)
	return err
}

var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)

// hasTest returns an error if no test in the package's directory has a name that go test -run would take.
func hasTest(dir, run string) error {
	name, err := regexp.Compile(strings.Split(run, "/")[0])
	if err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, found := range testFunction.FindAllSubmatch(text, -1) {
			if name.Match(found[1]) {
				return nil
			}
		}
	}
	return fmt.Errorf("no test %s in %s", run, dir)
}
