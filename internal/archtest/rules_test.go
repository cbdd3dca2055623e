package archtest_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/archtest"
)

// A rule that cannot fail proves nothing: each is shown a small house here with one thing wrong in it, and one with
// nothing wrong.

// cottage is a house of four rooms.
func cottage() archtest.House {
	return archtest.House{
		Module: "example.org/cottage",
		Rooms: []archtest.Room{
			{Path: "value", Level: archtest.Values},
			{Path: "port", Level: archtest.Port, May: []string{"value", "example.com/sql/driver"}},
			{Path: "port/suite", Level: archtest.Port, ForTest: true, May: []string{"port"}},
			{Path: "top", Level: archtest.Composition, May: []string{"port", "value"}},
		},
		Bans:             []archtest.Ban{{Room: "value", Never: []string{"fmt", "port"}}},
		MayClock:         []string{"top"},
		LinesOfFile:      12,
		LinesOfFunction:  5,
		CharactersOfLine: 120,
	}
}

// sound is the source of a cottage in which every rule holds.
func sound() map[string]string {
	return map[string]string{
		"value/value.go":        "package value\n",
		"port/port.go":          "package port\n\nimport (\n\t_ \"example.com/sql/driver\"\n\t_ \"example.org/cottage/value\"\n\t_ \"io\"\n)\n",
		"port/suite/suite.go":   "package suite\n\nimport _ \"example.org/cottage/port\"\n",
		"top/top.go":            "package top\n\nimport (\n\t\"time\"\n\n\t_ \"example.org/cottage/port\"\n\t_ \"example.org/cottage/value\"\n)\n\n// Now is the time.\nvar Now = time.Now\n",
		"value/value_test.go":   "package value_test\n\nimport (\n\t_ \"fmt\"\n\t\"time\"\n\n\t_ \"example.org/cottage/top\"\n)\n\nvar now = time.Now()\n",
		"value/testdata/bad.go": "this is not Go",
		"tools/go.mod":          "module example.org/cottage/tools\n",
		"tools/util/util.go":    "package util\n",
	}
}

func build(t *testing.T, files map[string]string) archtest.Tree {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, source := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(source)}
	}
	tree, err := archtest.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func everything(h archtest.House, t archtest.Tree) []string {
	var wrong []string
	for _, found := range [][]string{h.Leaning(), h.Imports(t), h.Banned(t), h.Drawers(t), h.Clock(t), h.Lengths(t),
		h.Widths(t), h.Comments(t)} {
		wrong = append(wrong, found...)
	}
	return wrong
}

func TestASoundHousePasses(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string(nil), everything(cottage(), build(t, sound()))); diff != "" {
		t.Errorf("complaints (-want +got):\n%s", diff)
	}
}

func TestARoomThatIsNotBuiltYetIsNoFault(t *testing.T) {
	t.Parallel()
	files := sound()
	delete(files, "top/top.go")
	none(t, cottage().Imports(build(t, files)))
}

func TestEveryRuleOfTheTreeCanFail(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, source string
		rule         func(archtest.House, archtest.Tree) []string
		want         string
	}{
		"an import without leave": {
			"value/value.go", "package value\n\nimport _ \"example.org/cottage/port\"\n",
			archtest.House.Imports, "value imports port, which its row does not allow",
		},
		"a module without leave": {
			"value/value.go", "package value\n\nimport _ \"example.com/other\"\n",
			archtest.House.Imports, "value imports example.com/other, which its row does not allow",
		},
		"a leave without use": {
			"top/top.go", "package top\n\nimport _ \"example.org/cottage/port\"\n",
			archtest.House.Imports, "top may import value and does not",
		},
		"a package without a row": {
			"attic/attic.go", "package attic\n",
			archtest.House.Imports, "attic has no row",
		},
		"a banned import of the standard library": {
			"value/value.go", "package value\n\nimport _ \"fmt\"\n",
			archtest.House.Banned, "value imports fmt, and never may",
		},
		"a banned import below a banned path": {
			"value/value.go", "package value\n\nimport _ \"example.org/cottage/port/suite\"\n",
			archtest.House.Banned, "value imports port/suite, and never may",
		},
		"a drawer by its directory": {
			"value/util/x.go", "package x\n",
			archtest.House.Drawers, `"util" is a drawer`,
		},
		"a drawer by its name": {
			"x/x.go", "package helpers\n",
			archtest.House.Drawers, `"helpers" is a drawer`,
		},
		"a call of the clock": {
			"value/value.go", "package value\n\nimport \"time\"\n\nvar x = time.Now()\n",
			archtest.House.Clock, "value/value.go:5 reads the clock",
		},
		"the clock under another name, passed on": {
			"value/value.go", "package value\n\nimport t \"time\"\n\nvar now = t.Now\n",
			archtest.House.Clock, "value/value.go:5 reads the clock",
		},
		"the clock by way of Since": {
			"value/value.go", "package value\n\nimport \"time\"\n\nvar x = time.Since(time.Time{})\n",
			archtest.House.Clock, "value/value.go:5 reads the clock",
		},
		"a long file": {
			"value/value.go", "package value\n" + strings.Repeat("\n", 12),
			archtest.House.Lengths, "value/value.go has 13 lines, over 12",
		},
		"a long function": {
			"value/value.go", "package value\n\nfunc (v V) long() {\n\n\n\n\n}\n\ntype V int\n",
			archtest.House.Lengths, "value/value.go:3 long has 6 lines, over 5",
		},
		"a wide line": {
			"value/value.go", "package value\n\nvar list = []int{" + strings.Repeat("1, ", 40) + "}\n",
			archtest.House.Widths, "value/value.go:3 has 138 characters, over 120",
		},
		"a wide comment": {
			"value/value.go", "package value\n\n// " + strings.Repeat("é ", 59) + "\n",
			archtest.House.Widths, "value/value.go:3 has 121 characters, over 120",
		},
		"short texts on a wide line": {
			"value/value.go", "package value\n\nvar list = []string{" + strings.Repeat(`"text", `, 13) + "}\n",
			archtest.House.Widths, "value/value.go:3 has 125 characters, over 120",
		},
		"a type without a comment": {
			"value/value.go", "package value\n\ntype Value int\n",
			archtest.House.Comments, "value/value.go:3 Value has no comment",
		},
		"a method whose comment begins otherwise": {
			"value/value.go",
			"package value\n\ntype v[T any] int\n\n// V is it.\ntype V[T any] int\n\n// Answers.\nfunc (*V[T]) Do() {}\n",
			archtest.House.Comments, "value/value.go:9 Do has no comment",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := sound()
			files[test.file] = test.source
			got := test.rule(cottage(), build(t, files))
			if !strings.Contains(strings.Join(got, "\n"), test.want) {
				t.Errorf("got %q, want a complaint with %q", got, test.want)
			}
		})
	}
}

func TestATableThatLeansUpwardsIsFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		may, want string
	}{
		"upwards":               {"top", "port (level 2) leans on top (level 5)"},
		"on a room for tests":   {"port/suite", "port may import port/suite, which is for tests"},
		"on what is no room":    {"cellar", "port may import cellar, which is no room"},
		"downwards is no fault": {"value", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			house := cottage()
			house.Rooms[1].May = []string{test.may}
			if got := strings.Join(house.Leaning(), "\n"); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestARoomWithTwoRowsIsFound(t *testing.T) {
	t.Parallel()
	house := cottage()
	house.Rooms = append(house.Rooms, archtest.Room{Path: "value", Level: archtest.Records})
	if diff := cmp.Diff([]string{"value has two rows"}, house.Leaning()); diff != "" {
		t.Errorf("complaints (-want +got):\n%s", diff)
	}
}

func TestAFileThatIsNotGoIsAnError(t *testing.T) {
	t.Parallel()
	_, err := archtest.Load(fstest.MapFS{"x/x.go": {Data: []byte("package")}})
	if err == nil {
		t.Fatal("no error")
	}
}

func TestDependenciesAreComparedBothWays(t *testing.T) {
	t.Parallel()
	const gomod = `module example.org/cottage

require example.com/alone v1.0.0

require (
	example.com/direct v1.0.0
	example.com/far v1.0.0 // indirect
	// example.com/remark v1.0.0
)
`
	const document = "# Dependencies\n\n| module | for |\n|---|---|\n" +
		"| `example.com/gone` | x |\n| `example.com/direct` | y |\n| `example.com/direct` | z |\nIn prose `example.com/prose` counts for nothing.\n"
	want := []string{
		"example.com/alone is required and has no row that says what for",
		"example.com/gone has a row and is not required",
		"example.com/direct has two rows",
	}
	if diff := cmp.Diff(want, archtest.Dependencies(gomod, document)); diff != "" {
		t.Errorf("complaints (-want +got):\n%s", diff)
	}
}
