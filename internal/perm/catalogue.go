// Package perm owns permissions: their names, the catalogue with their order, sets of them, and demands. It does not
// own their holders.
package perm

import (
	_ "embed"
	"fmt"
	"math/bits"
	"regexp"
	"strings"
	"sync/atomic"
)

//go:embed builtin.tsv
var builtin string

// Entry is one permission of a catalogue.
type Entry struct {
	Resource    string
	Action      string
	Description string
}

// Name is resource:action.
func (e Entry) Name() string { return e.Resource + ":" + e.Action }

// IsRead tells whether the action only looks: "read", or something that ends in "-read".
func (e Entry) IsRead() bool { return e.Action == "read" || strings.HasSuffix(e.Action, "-read") }

// Catalogue says which permissions exist, in the order in which they are shown. It never changes once it is made, and
// is safe for concurrent use.
type Catalogue struct {
	entries []Entry
	names   []string // of the entries
	index   map[string]int
	all     Set
	reads   Set
	alone   []Set // each permission in a set of its own, as far as there is room for them

	interned atomic.Pointer[map[string]Set] // of gatherers; see intern
}

// MaxEntries bounds a catalogue.
const MaxEntries = 4096

// mostAlone bounds the sets of one permission that are kept.
const mostAlone = 512

var part = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// EntryError says which entry of a catalogue is wrong, counted from 0, and why.
type EntryError struct {
	Index int
	Field string // resource, action, or "" for the whole
	Why   string
}

func (e *EntryError) Error() string {
	where := fmt.Sprintf("entry %d", e.Index+1)
	if e.Field != "" {
		where += ", " + e.Field
	}
	return where + ": " + e.Why
}

// New makes a catalogue. The error is an *EntryError.
func New(entries []Entry) (*Catalogue, error) {
	if len(entries) == 0 || len(entries) > MaxEntries {
		return nil, &EntryError{
			Why: fmt.Sprintf("a catalogue holds 1 to %d permissions, this one %d", MaxEntries, len(entries)),
		}
	}
	c := &Catalogue{entries: append([]Entry(nil), entries...), index: make(map[string]int, len(entries))}
	all, reads := newBuilder(len(entries)), newBuilder(len(entries))
	for i, e := range c.entries {
		if err := checkEntry(i, e, c.index); err != nil {
			return nil, err
		}
		name := e.Name()
		c.names = append(c.names, name)
		c.index[name] = i
		all.add(i)
		if e.IsRead() {
			reads.add(i)
		}
	}
	c.all, c.reads = all.set(), reads.set()
	for i := range min(len(c.entries), mostAlone) {
		b := newBuilder(i + 1)
		b.add(i)
		c.alone = append(c.alone, b.set())
	}
	return c, nil
}

func checkEntry(i int, e Entry, seen map[string]int) error {
	const form = "want 1 to 64 lower-case letters, digits, '.', '_' or '-', a letter or digit first"
	switch {
	case !part.MatchString(e.Resource):
		return &EntryError{Index: i, Field: "resource", Why: fmt.Sprintf("%q: %s", e.Resource, form)}
	case !part.MatchString(e.Action):
		return &EntryError{Index: i, Field: "action", Why: fmt.Sprintf("%q: %s", e.Action, form)}
	case len(e.Description) > 500:
		return &EntryError{Index: i, Field: "description", Why: "is longer than 500 bytes"}
	}
	if first, dup := seen[e.Name()]; dup {
		return &EntryError{Index: i, Why: fmt.Sprintf("%s stands already at entry %d", e.Name(), first+1)}
	}
	return nil
}

// Builtin is the reference's catalogue of 101 permissions.
func Builtin() *Catalogue {
	var entries []Entry
	for line := range strings.Lines(builtin) {
		name, description, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		resource, action, _ := strings.Cut(name, ":")
		entries = append(entries, Entry{Resource: resource, Action: action, Description: description})
	}
	c, err := New(entries)
	if err != nil {
		panic(fmt.Errorf("perm: the built-in catalogue: %w", err))
	}
	return c
}

// Entries lists the permissions in order. The caller must not change the slice.
func (c *Catalogue) Entries() []Entry { return c.entries }

// Len is the number of permissions.
func (c *Catalogue) Len() int { return len(c.entries) }

// All is the set of every permission.
func (c *Catalogue) All() Set { return c.all }

// Reads is the set of every read action.
func (c *Catalogue) Reads() Set { return c.reads }

// Has tells whether the catalogue knows the name, to the letter.
func (c *Catalogue) Has(name string) bool { _, ok := c.index[name]; return ok }

// Set gathers names. Where one is unknown it answers its index and ok = false. It allocates nothing for no name, and
// for one of the first permissions.
func (c *Catalogue) Set(names []string) (s Set, unknown int, ok bool) {
	switch len(names) {
	case 0:
		return Set{}, -1, true
	case 1:
		at, known := c.index[names[0]]
		if known && at < len(c.alone) {
			return c.alone[at], -1, true
		}
	}
	b := newBuilder(len(c.entries))
	for i, n := range names {
		at, known := c.index[n]
		if !known {
			return Set{}, i, false
		}
		b.add(at)
	}
	return b.set(), -1, true
}

// Known gathers the names that the catalogue knows and passes over the rest: for sets that were kept while the
// catalogue changed.
func (c *Catalogue) Known(names []string) Set {
	b := newBuilder(len(c.entries))
	for _, n := range names {
		if at, ok := c.index[n]; ok {
			b.add(at)
		}
	}
	return b.set()
}

// Names lists a set's names in catalogue order; never nil.
func (c *Catalogue) Names(s Set) []string {
	out := make([]string, 0, s.Len())
	for i := range len(s.bits) {
		for left := s.bits[i]; left != 0; left &= left - 1 {
			if at := i*8 + bits.TrailingZeros8(left); at < len(c.names) {
				out = append(out, c.names[at])
			}
		}
	}
	return out
}

// Holds reports whether the set has the named permission. A name outside the catalogue is in no set.
func (c *Catalogue) Holds(s Set, name string) bool {
	i, ok := c.index[name]
	return ok && s.has(i)
}
