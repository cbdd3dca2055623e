package tally

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/usage"
)

// Bounds of the demands that are told apart by a number. Services demand the same few sets of permissions again and
// again; a demand beyond these bounds is counted with a lock and a map.
const (
	mostDemands = 4096
	demandSlots = 4 * mostDemands
	mostProbes  = 16
)

// demands numbers the sets that are demanded of keys, from 1 on, so that a cell of the buffer has room for it. A number
// is never given again. A look takes no lock.
type demands struct {
	slots [demandSlots]atomic.Pointer[demand]

	mu       sync.Mutex
	numbered []perm.Demand
}

type demand struct {
	perm.Demand
	number usage.Demand
}

// number gives the number of a demand, 0 for none; ok is false where there is no room for another one.
func (d *demands) number(of *perm.Demand) (n usage.Demand, ok bool) {
	if of.IsEmpty() {
		return 0, true
	}
	h := of.Hash()
	for i := range uint64(mostProbes) {
		found := d.slots[(h+i)%demandSlots].Load()
		if found == nil {
			return d.add(*of, h)
		}
		if found.Demand == *of {
			return found.number, true
		}
	}
	return 0, false
}

func (d *demands) add(of perm.Demand, h uint64) (n usage.Demand, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range uint64(mostProbes) {
		slot := &d.slots[(h+i)%demandSlots]
		found := slot.Load()
		switch {
		case found != nil && found.Demand == of:
			return found.number, true
		case found != nil:
			continue
		case len(d.numbered) == mostDemands:
			return 0, false
		}
		d.numbered = append(d.numbered, of)
		n = usage.Demand(len(d.numbered))
		slot.Store(&demand{of, n})
		return n, true
	}
	return 0, false
}

// asked gives the permissions of a demand.
func (d *demands) asked(n usage.Demand) perm.Set {
	if n == 0 {
		return perm.Set{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	of := d.numbered[n-1]
	return of.All.Or(of.Any)
}

// spill counts by permission the uses that the buffer has counted without a demand.
type spill struct {
	mu    sync.Mutex
	waits map[spilled]asked
}

// spilled is a key and a demand on one day.
type spilled struct {
	key    usage.ID
	ws     id.Workspace
	demand perm.Demand
	day    int64
}

// asked counts questions with a demand.
type asked struct{ verified, refused int64 }

// mostSpilled bounds its entries. A demand without room is not counted by permission.
const mostSpilled = 20_000

func (s *spill) note(at spilled, verified bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits == nil {
		s.waits = make(map[spilled]asked)
	}
	n, there := s.waits[at]
	if !there && len(s.waits) >= mostSpilled {
		return
	}
	n.add(verified, 1)
	s.waits[at] = n
}

func (a *asked) add(verified bool, n int64) {
	if verified {
		a.verified += n
	} else {
		a.refused += n
	}
}

func (s *spill) all() map[spilled]asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.waits)
}

// wrote takes away the written entries.
func (s *spill) wrote(done map[spilled]asked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, n := range done {
		left := s.waits[at]
		left.verified -= n.verified
		left.refused -= n.refused
		if left == (asked{}) {
			delete(s.waits, at)
		} else {
			s.waits[at] = left
		}
	}
}

// asking gathers the permissions of a batch, so that each row is written once.
type asking struct {
	counts map[countOf]asked
	uses   map[useOf]perm.Set // permissions that were demanded with success
}

type useOf struct {
	key usage.ID
	day int64
}

func newAsking() asking { return asking{make(map[countOf]asked), make(map[useOf]perm.Set)} }

func (a *asking) use(key usage.ID, day int64, demanded perm.Set) {
	of := useOf{key, day}
	a.uses[of] = a.uses[of].Or(demanded)
}

func (a *asking) write(c *store.Counting) error {
	for of, demanded := range a.uses {
		if err := c.UsePermissions(id.Key(id.Format(of.key)), instant(of.day), demanded); err != nil {
			return err
		}
	}
	return writeCounts(c, a.counts)
}

// flushSpilled writes down the demands that the buffer had no room for.
func (t *Tally) flushSpilled(c *store.Counting, notes map[spilled]asked) error {
	all := newAsking()
	for at, n := range notes {
		both := at.demand.All.Or(at.demand.Any)
		t.count(all.counts, at.ws, at.day, both, n)
		if n.verified > 0 {
			all.use(at.key, at.day, both)
		}
	}
	return all.write(c)
}

// countOf is a permission in a workspace on a day.
type countOf struct {
	ws         id.Workspace
	day        int64
	permission string
}

// count counts questions for each permission of a demand.
func (t *Tally) count(into map[countOf]asked, ws id.Workspace, day int64, demanded perm.Set, n asked) {
	if t.keep[usage.Day] == 0 {
		return
	}
	for _, name := range t.names(demanded) {
		at := countOf{ws, day, name}
		sum := into[at]
		sum.verified += n.verified
		sum.refused += n.refused
		into[at] = sum
	}
}

// askedBy are the questions of an entry.
func askedBy(e *usage.Entry) asked {
	verified := e.Counts[usage.Verified]
	return asked{verified, e.Counts.Total() - verified}
}

// writeCounts adds to the days of workspaces that are there.
func writeCounts(c *store.Counting, counts map[countOf]asked) error {
	for at, n := range counts {
		there, err := c.HasWorkspace(at.ws)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		err = c.AddPermissionCount(at.ws, store.PermissionCount{
			Day: instant(at.day), Permission: at.permission, Verified: n.verified, Refused: n.refused,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// used remembers which demands of which keys are noted as used today, so that a key in use costs a write a day.
type used struct {
	day  int64
	keys map[usedPair]bool
}

type usedPair struct {
	key    usage.ID
	demand usage.Demand
}

// mostUsed bounds the memory of it.
const mostUsed = 100_000

// noted reports whether a use is written down already.
func (u *used) noted(e *usage.Entry) bool {
	return u.day == usage.Day.Start(e.Minute) && u.keys[usedPair{e.Key, e.Demand}]
}

func (u *used) note(e *usage.Entry) {
	day := usage.Day.Start(e.Minute)
	if u.keys == nil || u.day < day || len(u.keys) >= mostUsed {
		u.day, u.keys = day, make(map[usedPair]bool)
	}
	if u.day == day {
		u.keys[usedPair{e.Key, e.Demand}] = true
	}
}

// Permissions gives the demands that a key met and that are not written down yet, with the day.
func (t *Tally) Permissions(key usage.ID, found func(demanded perm.Set, day time.Time)) {
	t.sheet.Demands(key,
		func(d usage.Demand, minute int64) { found(t.demands.asked(d), instant(usage.Day.Start(minute))) })
	for at, n := range t.spilled.all() {
		if at.key == key && n.verified > 0 {
			found(at.demand.All.Or(at.demand.Any), instant(at.day))
		}
	}
}

// PermissionCounts gives how often permissions were demanded of a workspace's keys, as far as it is not written down.
func (t *Tally) PermissionCounts(ws id.Workspace, found func(store.PermissionCount)) {
	counts := make(map[countOf]asked)
	place, _ := id.Parse(string(ws))
	t.sheet.Each(func(e *usage.Entry) {
		if e.Workspace == place && e.Demand != 0 {
			t.count(counts, ws, usage.Day.Start(e.Minute), t.demands.asked(e.Demand), askedBy(e))
		}
	})
	for at, n := range t.spilled.all() {
		if at.ws == ws {
			t.count(counts, ws, at.day, at.demand.All.Or(at.demand.Any), n)
		}
	}
	for at, n := range counts {
		found(store.PermissionCount{
			Day: instant(at.day), Permission: at.permission, Verified: n.verified, Refused: n.refused,
		})
	}
}

// ByWorkspace gives the uses in a span that are not written down, by workspace.
func (t *Tally) ByWorkspace(span usage.Span, found func(id.Workspace, *usage.Counts)) {
	sums := make(map[usage.ID]*usage.Counts)
	t.sheet.Each(func(e *usage.Entry) {
		if e.Workspace == (usage.ID{}) || !span.Holds(e.Minute) {
			return
		}
		if sums[e.Workspace] == nil {
			sums[e.Workspace] = new(usage.Counts)
		}
		sums[e.Workspace].Add(&e.Counts)
	})
	for ws, n := range sums {
		found(id.Workspace(id.Format(ws)), n)
	}
}
