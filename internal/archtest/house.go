package archtest

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Level is how high a room stands; imports lean downwards.
type Level int

// The levels, from values that know nothing to the composition that knows everything.
const (
	Values Level = iota
	Records
	Port
	Engines
	Transports
	Composition
	Outside // public packages, commands and measurements: nothing inside imports them
)

// Room is one package's row in the table: exactly the imports it may have. An unused permission is as wrong as an
// import without one, so that the table stays a picture of the house.
type Room struct {
	Path    string // relative to the module's root
	Level   Level
	May     []string // packages of this module, by their paths, and of other modules, by their import paths
	ForTest bool     // a suite for tests to call: it may stand anywhere, but only tests and other such rooms import it
}

// Ban lists paths that a room never imports, even if its row allows them. A banned path covers the paths below it.
type Ban struct {
	Room  string
	Never []string
}

// House is the whole set of rules.
type House struct {
	Module   string
	Rooms    []Room
	Bans     []Ban
	MayClock []string // rooms, with what lies below them, that may read the clock

	LinesOfFile      int
	LinesOfFunction  int
	CharactersOfLine int
}

// drawers are the names of rooms in which anything would have a place.
var drawers = []string{"util", "utils", "common", "helper", "helpers", "models", "core", "mock", "mocks"}

// under tells whether name is dir or lies below it.
func under(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }

// inModule gives the path of an imported package relative to the module's root, and whether it is in the module at all.
func (h House) inModule(imported string) (string, bool) {
	if imported == h.Module {
		return ".", true
	}
	return strings.CutPrefix(imported, h.Module+"/")
}

// named gives an import the name that the table uses for it; "" for the standard library, which no row mentions.
func (h House) named(imported string) string {
	if inside, ok := h.inModule(imported); ok {
		return inside
	}
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		return ""
	}
	return imported
}

func (h House) room(name string) (Room, bool) {
	i := slices.IndexFunc(h.Rooms, func(r Room) bool { return r.Path == name })
	if i < 0 {
		return Room{}, false
	}
	return h.Rooms[i], true
}

// imports lists the imports of a package's non-test files, sorted, each once.
func imports(p Package) []string {
	var all []string
	for _, f := range p.Files {
		if !f.Test {
			all = append(all, f.Imports...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// onlyTests tells whether a package has nothing but tests, and so imports nothing that counts.
func onlyTests(p Package) bool {
	return !slices.ContainsFunc(p.Files, func(f File) bool { return !f.Test })
}

// Leaning checks the table by itself: one row for each room, which may allow only rooms of its own level or below,
// and never a room for tests.
func (h House) Leaning() []string {
	var wrong []string
	for i, r := range h.Rooms {
		if slices.ContainsFunc(h.Rooms[:i], func(earlier Room) bool { return earlier.Path == r.Path }) {
			wrong = append(wrong, fmt.Sprintf("%s has two rows", r.Path))
		}
		for _, name := range r.May {
			to, ok := h.room(name)
			switch {
			case !ok && h.isInside(name):
				wrong = append(wrong, fmt.Sprintf("%s may import %s, which is no room", r.Path, name))
			case ok && to.Level > r.Level:
				wrong = append(wrong, fmt.Sprintf("%s (level %d) leans on %s (level %d)", r.Path, r.Level, name, to.Level))
			case ok && to.ForTest && !r.ForTest:
				wrong = append(wrong, fmt.Sprintf("%s may import %s, which is for tests", r.Path, name))
			}
		}
	}
	return wrong
}

// isInside tells whether a name in the table is a package of this module rather than of another.
func (h House) isInside(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return name == "." || !strings.Contains(first, ".")
}

// Imports compares each package's imports with its row. A row without a package is ignored.
func (h House) Imports(t Tree) []string {
	var wrong []string
	for _, p := range t.Packages {
		row, ok := h.room(p.Path)
		if !ok {
			if !onlyTests(p) {
				wrong = append(wrong, fmt.Sprintf("%s has no row in the table", p.Path))
			}
			continue
		}
		wrong = append(wrong, h.compare(row, p)...)
	}
	return wrong
}

func (h House) compare(row Room, p Package) []string {
	var wrong, used []string
	for _, imported := range imports(p) {
		name := h.named(imported)
		if name == "" {
			continue
		}
		used = append(used, name)
		if !slices.Contains(row.May, name) {
			wrong = append(wrong, fmt.Sprintf("%s imports %s, which its row does not allow", row.Path, name))
		}
	}
	for _, name := range row.May {
		if !slices.Contains(used, name) {
			wrong = append(wrong, fmt.Sprintf("%s may import %s and does not: take it out of the row", row.Path, name))
		}
	}
	if len(wrong) > 0 {
		wrong = append(wrong, fmt.Sprintf("%s, as it is: May: %q", row.Path, used))
	}
	return wrong
}

// Banned finds imports that no row can allow.
func (h House) Banned(t Tree) []string {
	var wrong []string
	for _, p := range t.Packages {
		for _, ban := range h.Bans {
			if ban.Room != p.Path {
				continue
			}
			for _, imported := range imports(p) {
				name := imported
				if inside, ok := h.inModule(imported); ok {
					name = inside
				}
				if slices.ContainsFunc(ban.Never, func(never string) bool { return under(name, never) }) {
					wrong = append(wrong, fmt.Sprintf("%s imports %s, and never may", p.Path, name))
				}
			}
		}
	}
	return wrong
}

// Drawers finds packages whose name says nothing.
func (h House) Drawers(t Tree) []string {
	var wrong []string
	for _, p := range t.Packages {
		for _, name := range slices.Compact([]string{path.Base(p.Path), p.Name}) {
			if slices.Contains(drawers, name) {
				wrong = append(wrong, fmt.Sprintf("%s: %q is a drawer, not a room", p.Path, name))
			}
		}
	}
	return wrong
}

// Clock finds reads of the clock outside the rooms that may: everywhere else the time is an argument.
func (h House) Clock(t Tree) []string {
	var wrong []string
	for _, p := range t.Packages {
		if slices.ContainsFunc(h.MayClock, func(room string) bool { return under(p.Path, room) }) {
			continue
		}
		for _, f := range p.Files {
			for _, line := range f.ClockReads {
				if !f.Test {
					wrong = append(wrong, fmt.Sprintf("%s:%d reads the clock: take now as an argument", f.Path, line))
				}
			}
		}
	}
	return wrong
}

// Lengths finds files and functions that are too long to be read at one go. Tests may be long: tables are. Generated
// files are not for reading.
func (h House) Lengths(t Tree) []string {
	var wrong []string
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if f.Test || f.Generated {
				continue
			}
			if f.Lines > h.LinesOfFile {
				wrong = append(wrong, fmt.Sprintf("%s has %d lines, over %d: split it by idea", f.Path, f.Lines, h.LinesOfFile))
			}
			for _, fn := range f.Functions {
				if fn.Lines > h.LinesOfFunction {
					wrong = append(
						wrong, fmt.Sprintf("%s:%d %s has %d lines, over %d", f.Path, fn.Line, fn.Name, fn.Lines, h.LinesOfFunction),
					)
				}
			}
		}
	}
	return wrong
}

// Widths finds lines that are too wide. A text may be: see wide.
func (h House) Widths(t Tree) []string {
	var wrong []string
	for _, p := range t.Packages {
		for _, f := range p.Files {
			for _, l := range f.Wide {
				if !f.Generated && l.Characters > h.CharactersOfLine {
					wrong = append(
						wrong, fmt.Sprintf("%s:%d has %d characters, over %d", f.Path, l.Line, l.Characters, h.CharactersOfLine),
					)
				}
			}
		}
	}
	return wrong
}

// Comments finds exported declarations whose comment does not begin with their name, as Go's convention wants it.
func (h House) Comments(t Tree) []string {
	var wrong []string
	for _, p := range t.Packages {
		for _, f := range p.Files {
			for _, l := range f.Nameless {
				if !f.Test && !f.Generated {
					wrong = append(wrong, fmt.Sprintf("%s:%d %s has no comment that begins with its name", f.Path, l.Line, l.Name))
				}
			}
		}
	}
	return wrong
}
