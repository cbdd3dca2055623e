package auditreplay

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
)

// ErrGap says that events may lie between the backup and the journal.
var ErrGap = errors.New(
	"it does not reach back to the backup's last event, so that what happened in between is not known: " +
		"export the whole log (keyward logs --format ndjson --limit 0)",
)

// ErrEmpty says that a journal has no event: an export that met a full disk, for instance.
var ErrEmpty = errors.New("it is empty: export the log again (keyward logs --format ndjson --limit 0)")

// ErrNotWhole says that a line is missing from a journal, or is not what was written.
var ErrNotWhole = errors.New("export the log again (keyward logs --format ndjson --limit 0), or name an earlier export " +
	"that has it, too (--journal)")

// Later holds the entries that follow on a log, in their order and each once.
type Later struct {
	Entries []Entry
	// Proven says that no event is missing in between, and that each is as it was written: the chain of hashes leads
	// from the log's last event to each of them.
	Proven bool
	// Elsewhere is how many events of another history were left out: the one that a restore had ended before the log's
	// last event was written.
	Elsewhere int
}

// After gives the entries that a log does not have. last is the newest event of that log, the zero value for an empty
// one, and has tells whether an event is in it.
func After(all []Entry, last audit.Event, has func(id.Event) bool) (Later, error) {
	if len(all) == 0 {
		return Later{}, ErrEmpty
	}
	bare, export := unnumbered(all, has)
	switch {
	case bare == nil:
		return chained(all, last, has)
	case export:
		return Later{}, fmt.Errorf("%s has no number, and others have: %w", bare.place, ErrNotWhole)
	}
	seen := make(map[id.Event]bool)
	var later []Entry
	for _, e := range all {
		if !seen[e.ID] && !has(e.ID) {
			later = append(later, e)
		}
		seen[e.ID] = true
	}
	if len(later) > 0 && last.ID != "" && !seen[last.ID] {
		return Later{}, ErrGap
	}
	return Later{Entries: later}, nil
}

// unnumbered finds the first new event without a number, nil for none. export tells whether a file with such an event
// has numbered ones, too, beside archives.
func unnumbered(all []Entry, has func(id.Event) bool) (first *Entry, export bool) {
	known := make(map[id.Event]bool)
	files := make(map[string]bool)
	for i := range all {
		if e := &all[i]; e.numbered() {
			known[e.ID] = true
			files[e.place.file] = files[e.place.file] || !e.place.archive
		}
	}
	for i := range all {
		e := &all[i]
		if e.numbered() || known[e.ID] || has(e.ID) {
			continue
		}
		if first == nil {
			first = e
		}
		export = export || files[e.place.file]
	}
	return first, export
}

// chain follows the hashes of a journal from a log's last event on.
type chain struct {
	last audit.Event
	has  func(id.Event) bool
	at   map[int64][]*Entry  // new events by their number; each once
	next map[*Entry][]*Entry // the events after each, and after begin
}

// begin stands for the log's last event.
var begin = &Entry{}

// chained gives the events that the chain of hashes leads to. A restore begins a second branch of the chain, whose
// first events repeat those of the branch that it ended; where a journal has both, the older branch goes first.
func chained(all []Entry, last audit.Event, has func(id.Event) bool) (Later, error) {
	c := &chain{last: last, has: has, at: make(map[int64][]*Entry), next: make(map[*Entry][]*Entry)}
	var order []*Entry
	for i := range all {
		e := &all[i]
		same := func(o *Entry) bool { return o.event == e.event }
		if !e.numbered() || has(e.ID) || slices.ContainsFunc(c.at[e.Seq], same) {
			continue
		}
		c.at[e.Seq] = append(c.at[e.Seq], e)
		order = append(order, e)
	}
	slices.SortStableFunc(order, func(a, b *Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	elsewhere := make(map[*Entry]bool)
	for _, e := range order {
		if e.Seq <= last.Seq {
			elsewhere[e] = true
			continue
		}
		before, err := c.before(e)
		if err != nil {
			return Later{}, err
		}
		if elsewhere[before] {
			elsewhere[e] = true
			continue
		}
		c.next[before] = append(c.next[before], e)
	}
	out := Later{Proven: true, Elsewhere: len(elsewhere)}
	for stack := []*Entry{begin}; len(stack) > 0; {
		e := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if e != begin {
			out.Entries = append(out.Entries, *e)
		}
		branches := slices.Clone(c.next[e])
		slices.SortStableFunc(branches, func(a, b *Entry) int { return b.CreatedAt.Compare(a.CreatedAt) })
		stack = append(stack, branches...) // the oldest is taken next
	}
	return out, nil
}

// before finds the event that the hash of an entry names.
func (c *chain) before(e *Entry) (*Entry, error) {
	if e.Seq == c.last.Seq+1 && e.event.Follows(c.last.Hash) {
		return begin, nil
	}
	candidates := c.at[e.Seq-1]
	for _, o := range candidates {
		if e.event.Follows(o.event.Hash) {
			return o, nil
		}
	}
	switch {
	case len(candidates) > 0:
		return nil, fmt.Errorf("%s (event %d) or %s (event %d) is not as it was written: %w", e.place, e.Seq,
			candidates[0].place, e.Seq-1, ErrNotWhole)
	case e.Seq == c.last.Seq+1:
		return nil, fmt.Errorf("%s (event %d) is not as it was written, or not of the history of the backup: %w", e.place,
			e.Seq, ErrNotWhole)
	}
	missing := e.Seq - 1
	for ; missing > c.last.Seq+1 && len(c.at[missing-1]) == 0; missing-- {
	}
	if missing == c.last.Seq+1 {
		return nil, fmt.Errorf("%s is event %d, and the backup ends with event %d: %w", e.place, e.Seq, c.last.Seq, ErrGap)
	}
	return nil, fmt.Errorf("%s is event %d, and event %d is missing: %w", e.place, e.Seq, missing, ErrNotWhole)
}
