package auditreplay

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/keyward/keyward/internal/id"
)

// inOrder returns the events of exports oldest first, each once. Times rise from most events to the next, but not
// from all: they fall where a wrong clock was put right. So one export is reversed as a whole, and the times order
// several exports. Where the times contradict each other, the order counts in which each change finds the state that
// the one before it left.
func inOrder(all []Entry) []Entry {
	byTime := slices.Clone(all)
	slices.SortStableFunc(byTime, earlier)
	whole := turned(all)
	runs := monotone(all)
	forward := slices.Concat(runs...)
	slices.Reverse(runs)
	if single(all) && contradictions(whole) == 0 {
		return whole
	}
	var best []Entry
	least := -1
	for _, order := range [][]Entry{byTime, whole, forward, slices.Concat(runs...)} {
		for _, order := range [][]Entry{once(order), lastOnce(order)} {
			if n := contradictions(order); least < 0 || n < least {
				best = order
				least = n
			}
		}
	}
	return best
}

func earlier(a, b Entry) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID)) // of two events of one instant the ids tell
}

// turned reverses a list that is mostly newest first.
func turned(all []Entry) []Entry {
	falls := 0
	for i := 1; i < len(all); i++ {
		falls += earlier(all[i-1], all[i])
	}
	out := slices.Clone(all)
	if falls > 0 {
		slices.Reverse(out)
	}
	return out
}

// single tells whether a file may be one export: no event comes twice, and times never go against the rest for two
// steps in a row.
func single(all []Entry) bool {
	whole := turned(all)
	against := 0
	for i := 1; i < len(whole); i++ {
		if earlier(whole[i-1], whole[i]) <= 0 {
			against = 0
		} else if against++; against > 1 {
			return false
		}
	}
	return len(once(whole)) == len(whole)
}

// monotone cuts a file where its direction changes, and gives each part oldest first.
func monotone(all []Entry) (runs [][]Entry) {
	for len(all) > 0 {
		n, direction := 1, 0
		for ; n < len(all); n++ {
			step := earlier(all[n-1], all[n])
			if direction == 0 {
				direction = step
			}
			if step != direction {
				break
			}
		}
		run := slices.Clone(all[:n])
		if direction > 0 {
			slices.Reverse(run)
		}
		runs = append(runs, run)
		all = all[n:]
	}
	return runs
}

// once drops events that came before.
func once(all []Entry) []Entry {
	seen := make(map[id.Event]bool, len(all))
	return slices.DeleteFunc(slices.Clone(all), func(e Entry) bool {
		was := seen[e.ID]
		seen[e.ID] = true
		return was
	})
}

// lastOnce drops events that come again.
func lastOnce(all []Entry) []Entry {
	turned := slices.Clone(all)
	slices.Reverse(turned)
	turned = once(turned)
	slices.Reverse(turned)
	return turned
}

// contradictions counts the fields that are said to have been otherwise than the last change to them left them.
func contradictions(order []Entry) (n int) {
	known := make(map[string]members)
	for i := range order {
		e := &order[i]
		target := string(e.workspace()) + " " + e.Metadata.Target
		now := known[target]
		for field, was := range e.Metadata.Before {
			if left, ok := now[field]; ok && !bytes.Equal(left, was) {
				n++
			}
		}
		if e.Metadata.After == nil {
			delete(known, target)
			continue
		}
		if now == nil {
			now = make(members)
			known[target] = now
		}
		for field, left := range e.Metadata.After {
			now[field] = left
		}
	}
	return n
}

// behindArchives puts the events of exports after those of archives, but for those that an export has before the first
// that both have.
func behindArchives(archived, exported []Entry) []Entry {
	slices.SortStableFunc(archived, func(a, b Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	in := make(map[id.Event]bool, len(archived))
	for i := range archived {
		in[archived[i].ID] = true
	}
	first := max(0, slices.IndexFunc(exported, func(e Entry) bool { return in[e.ID] }))
	return once(slices.Concat(exported[:first], archived, exported[first:]))
}
