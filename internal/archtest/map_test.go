package archtest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// levels are, in the order of archtest.Level, the rows of the table in CONTRIBUTING.md, and of the drawing in
// docs/design.md.
var levels = []string{
	"values", "records and rules", "port", "drivers and engines", "transports", "composition", "outside",
}

// drawn are the names of rooms by their level: of those inside, without internal/.
func drawn() map[string][]string {
	out := map[string][]string{}
	for _, r := range keyward.Rooms {
		if r.ForTest {
			continue
		}
		name := strings.TrimPrefix(r.Path, "internal/")
		if r.Path == "." {
			name = "keyward"
		}
		out[levels[r.Level]] = append(out[levels[r.Level]], name)
	}
	for _, names := range out {
		slices.Sort(names)
	}
	return out
}

func TestTheTableOfRoomsIsTheHouse(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	for _, line := range strings.Split(read(t, "CONTRIBUTING.md"), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) == 5 && slices.Contains(levels, strings.TrimSpace(cells[1])) {
			var names []string
			for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[2], -1) {
				names = append(names, name[1])
			}
			slices.Sort(names)
			got[strings.TrimSpace(cells[1])] = names
		}
	}
	if d := cmp.Diff(drawn(), got); d != "" {
		t.Errorf("the table of CONTRIBUTING.md (-the house +the table):\n%s", d)
	}
}

// levelLine begins a level of the drawing; its rooms, and the lines after it that are indented as deep, follow.
var levelLine = regexp.MustCompile(`^ L\d  ([a-z ]+?)(?:  +(.*))?$`)

func TestTheDrawingIsTheHouse(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(read(t, "docs/design.md"), "```\n")
	drawing, _, _ := strings.Cut(rest, "```")
	got := map[string][]string{}
	level := ""
	for _, line := range strings.Split(drawing, "\n") {
		if m := levelLine.FindStringSubmatch(line); m != nil {
			level, line = m[1], m[2]
		} else if strings.ContainsAny(line, "│▼") || !strings.HasPrefix(line, strings.Repeat(" ", 20)) {
			level = ""
		}
		if level != "" {
			got[level] = append(got[level], strings.Fields(line)...)
		}
	}
	for _, names := range got {
		slices.Sort(names)
	}
	if d := cmp.Diff(drawn(), got); d != "" {
		t.Errorf("the drawing of docs/design.md (-the house +the drawing):\n%s", d)
	}
}

var (
	namedLink = regexp.MustCompile("\\[`([A-Za-z]+)`\\]\\(([^)]+\\.go)\\)")
	anyLink   = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
)

func TestTheTourLeadsToWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, wrong := range tour(read(t, "docs/tour.md"), "../../docs") {
		t.Error(wrong)
	}
	if links := namedLink.FindAllString(read(t, "docs/tour.md"), -1); len(links) < 40 {
		t.Errorf("the tour names %d functions: this test sees no links", len(links))
	}
}

func TestATourThatLeadsAstrayIsSeen(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"[`Nowhere`](../keys.go)", "[x](../nowhere.md)", "[`Field`](../keys.go)"} {
		if len(tour(page, "../../docs")) != 1 {
			t.Errorf("%s is taken for right", page)
		}
	}
}

// tour tells what is wrong with the links of a page in a folder.
func tour(page, dir string) (wrong []string) {
	for _, link := range anyLink.FindAllStringSubmatch(page, -1) {
		if _, err := os.Stat(filepath.Join(dir, link[1])); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	for _, link := range namedLink.FindAllStringSubmatch(page, -1) {
		name, path := link[1], filepath.Join(dir, link[2])
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err == nil && !declares(file, name) {
			wrong = append(wrong, fmt.Sprintf("%s does not declare %s", link[2], name))
		}
	}
	return wrong
}

// declares tells whether a file has a function, method, type, variable or constant of the name.
func declares(file *ast.File, name string) bool {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.Name == name {
				return true
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.Name == name {
						return true
					}
				case *ast.ValueSpec:
					if slices.ContainsFunc(spec.Names, func(i *ast.Ident) bool { return i.Name == name }) {
						return true
					}
				}
			}
		}
	}
	return false
}
