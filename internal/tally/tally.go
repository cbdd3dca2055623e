// Package tally owns the way of a use from the decision to the database: it records the decisions of verify in
// memory, writes them in batches, and answers for those not written yet. It does not own the counting (usage), the
// rows (store), access to the figures (control), nor the time of writing (server).
package tally

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/refusal"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/usage"
	"github.com/keyward/keyward/internal/verify"
)

// Tally counts. It is safe for concurrent use.
type Tally struct {
	sheet *usage.Buffer
	db    *store.DB
	keep  usage.Retention

	writing  sync.Mutex   // one Flush at a time
	settling sync.RWMutex // held while a batch moves from memory to the store: no reader sees it in both, or in neither
	batch    []usage.Entry
	rows     map[row]usage.Counts
	earlier  earlier
	refusals *refusal.Ring
	refusing sync.Mutex // one FlushRefusals at a time
	names    func(perm.Set) []string
	demands  demands
	spilled  spill
	used     used // for the writer

	written, failed atomic.Int64
}

var _ verify.EarlierRecorder = (*Tally)(nil)

// row holds the counts of one key or workspace at one time; the zero ID stands for the installation.
type row struct {
	grain usage.Grain
	start int64
	of    usage.ID
}

// Config holds the parts of a Tally.
type Config struct {
	DB    *store.DB
	Keep  usage.Retention // what is not kept at all is not written
	Limit int             // how many keys and minutes may wait, beyond which uses are lost
	// Names gives the names of permissions, in which refusals and demands are written down.
	Names func(perm.Set) []string
}

// Bounds of a transaction: so small that a change waits for some milliseconds at most. 256 keys of as many workspaces
// took 20 to 32 ms of a processor.
const (
	batchSize  = 64  // keys
	batchNamed = 640 // permissions that the keys of a batch were asked for: each may be a row
)

// New makes a tally.
func New(c Config) *Tally {
	if c.Names == nil {
		c.Names = func(perm.Set) []string { return nil }
	}
	return &Tally{sheet: usage.NewBuffer(c.Limit), db: c.DB, keep: c.Keep,
		batch: make([]usage.Entry, batchSize), rows: make(map[row]usage.Counts), refusals: refusal.NewRing(), names: c.Names}
}

// Record notes a decision. It allocates nothing for a key and a demand that were noted in the same minute, and waits
// for no database.
func (t *Tally) Record(at int64, demanded perm.Demand, v *verify.Verdict) {
	switch v.Code {
	case verify.Valid:
		t.note(at, &demanded, v, usage.Verified)
	case verify.Unavailable: // nothing was decided
	case verify.Malformed:
		t.sheet.AddUnknown(usage.Malformed, at)
	case verify.NotFound:
		t.sheet.AddUnknown(usage.NotFound, at)
	default:
		if code, ok := usage.CodeOf(v.Code); ok {
			t.note(at, &demanded, v, code)
		}
	}
}

// note counts a use of a key under its demand.
func (t *Tally) note(at int64, demanded *perm.Demand, v *verify.Verdict, code usage.Code) {
	demand, numbered := t.demands.number(demanded)
	noted := t.sheet.Add(v.Key.UUID, v.Key.Workspace, code, demand, at)
	if !numbered || !noted {
		t.spilled.note(spilled{v.Key.UUID, v.Key.Workspace, *demanded, usage.Day.Start(at)}, code == usage.Verified)
	}
}

// Flush writes the uses recorded until now. After an error the rest is kept, and written by the next Flush.
func (t *Tally) Flush(ctx context.Context) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	err := t.flushEarlier(ctx)
	if err == nil {
		err = t.moveSpilled(ctx)
	}
	if err == nil {
		err = t.drain(ctx) // what an earlier one left
	}
	if err == nil {
		t.sheet.Turn()
		err = t.drain(ctx)
	}
	if err != nil {
		t.failed.Add(1)
		return fmt.Errorf("write down the usage: %w", err)
	}
	return nil
}

// flushEarlier writes down the uses of earlier values. Each part is marked as written before the next one begins.
func (t *Tally) flushEarlier(ctx context.Context) error {
	for _, part := range parts(t.earlier.turn(), func(value) int { return 1 }) {
		if err := t.db.Count(ctx, func(c *store.Counting) error { return t.writeEarlier(c, part) }); err != nil {
			return err
		}
		t.earlier.wrote(part)
	}
	return nil
}

func (t *Tally) drain(ctx context.Context) error {
	for n := t.takeLight(); n > 0; n = t.takeLight() {
		if err := t.move(ctx, t.batch[:n]); err != nil {
			return err
		}
		t.written.Add(int64(n))
	}
	return nil
}

// move writes a batch and forgets it, so that a reader inside Settled sees each use in only one of the two places.
func (t *Tally) move(ctx context.Context, batch []usage.Entry) error {
	t.settling.Lock()
	defer t.settling.Unlock()
	if err := t.db.Count(ctx, func(c *store.Counting) error { return t.write(c, batch) }); err != nil {
		return err
	}
	for i := range batch {
		if e := &batch[i]; e.Demand != 0 && e.Counts[usage.Verified] > 0 {
			t.used.note(e)
		}
	}
	t.sheet.Settle()
	return nil
}

// moveSpilled is drain for the uses that are counted apart from the buffer.
func (t *Tally) moveSpilled(ctx context.Context) error {
	for _, part := range parts(t.spilled.all(), weightOfSpilled) {
		if err := t.movePart(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// movePart is move for a part of them. A part is forgotten once it is committed, so that a Flush after an error writes
// the other parts alone.
func (t *Tally) movePart(ctx context.Context, part map[spilled]asked) error {
	t.settling.Lock()
	defer t.settling.Unlock()
	if err := t.db.Count(ctx, func(c *store.Counting) error { return t.flushSpilled(c, part) }); err != nil {
		return err
	}
	t.spilled.wrote(part)
	return nil
}

func (t *Tally) write(c *store.Counting, batch []usage.Entry) error {
	clear(t.rows)
	workspaces := make(map[usage.ID]bool)
	permissions := newAsking()
	for i := range batch {
		e := &batch[i]
		t.add(usage.ID{}, e)
		if e.Key == (usage.ID{}) {
			continue
		}
		there, err := c.UseKey(id.Key(id.Format(e.Key)), instant(e.Used), instant(e.Tried))
		if err != nil {
			return err
		}
		if there {
			t.add(e.Key, e)
		}
		t.addDemand(e, there, &permissions)
		there, known := workspaces[e.Workspace]
		if !known {
			if there, err = c.HasWorkspace(id.Workspace(id.Format(e.Workspace))); err != nil {
				return err
			}
			workspaces[e.Workspace] = there
		}
		if there {
			t.add(e.Workspace, e)
		}
	}
	if err := permissions.write(c); err != nil {
		return err
	}
	return t.writeRows(c)
}

// addDemand counts the permissions of an entry for its workspace, and gathers those of its key that are used for the
// first time today.
func (t *Tally) addDemand(e *usage.Entry, there bool, into *asking) {
	if e.Demand == 0 {
		return
	}
	demanded, day := t.demands.asked(e.Demand), usage.Day.Start(e.Minute)
	t.count(into.counts, id.Workspace(id.Format(e.Workspace)), day, demanded, askedBy(e))
	if there && e.Counts[usage.Verified] > 0 && !t.used.noted(e) {
		into.use(e.Key, day, demanded)
	}
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// add counts an entry for a key, a workspace or the installation, in each stored grain.
func (t *Tally) add(of usage.ID, e *usage.Entry) {
	for g := range usage.Grains {
		if t.keep[g] > 0 {
			at := row{g, g.Start(e.Minute), of}
			n := t.rows[at]
			n.Add(&e.Counts)
			t.rows[at] = n
		}
	}
}

// writeRows goes through the table in its own order.
func (t *Tally) writeRows(c *store.Counting) error {
	order := make([]row, 0, len(t.rows))
	for at := range t.rows {
		order = append(order, at)
	}
	slices.SortFunc(order, row.compare)
	for _, at := range order {
		r := store.UsageRow{Grain: at.grain, Start: at.start, Of: store.AllUsage, Counts: t.rows[at]}
		if at.of != (usage.ID{}) {
			r.Of = store.UsageOf(id.Format(at.of))
		}
		if err := c.AddUsage(&r); err != nil {
			return err
		}
	}
	return nil
}

func (a row) compare(b row) int {
	if a.grain != b.grain {
		return int(a.grain) - int(b.grain)
	}
	if a.start != b.start {
		return int((a.start - b.start) / 60_000)
	}
	return slices.Compare(a.of[:], b.of[:])
}

// Settled runs read while no use moves from memory to the store: reading both then counts each use once.
func (t *Tally) Settled(read func() error) error {
	t.settling.RLock()
	defer t.settling.RUnlock()
	return read()
}

// Key adds the unwritten uses of a key.
func (t *Tally) Key(key usage.ID, s *usage.Series) { t.sheet.Key(key, s) }

// Workspace adds the unwritten uses of a workspace. It reads all waiting entries.
func (t *Tally) Workspace(ws usage.ID, s *usage.Series) { t.sheet.Workspace(ws, s) }

// All adds everything that is not written yet.
func (t *Tally) All(s *usage.Series) { t.sheet.All(s) }

// Latest is when a key was last verified, and last asked about whatever the outcome, in Unix milliseconds, as far as
// memory knows; the store knows older uses.
func (t *Tally) Latest(key usage.ID) (used, tried int64) { return t.sheet.Latest(key) }

// Stats are counted since the start.
type Stats struct {
	Lost    int64 // uses that found no room
	Waiting int   // keys and minutes that are noted and not written
	Written int64 // keys and minutes that were written
	Failed  int64 // attempts to write

	RefusalsLost int64 // refusals that found no room
}

// Stats costs a look at each part of the sheet.
func (t *Tally) Stats() Stats {
	return Stats{Lost: t.sheet.Lost(), Waiting: t.sheet.Waiting(), Written: t.written.Load(), Failed: t.failed.Load(),
		RefusalsLost: t.refusals.Lost()}
}
