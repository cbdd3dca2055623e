package feedhttp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/refusal"
	"github.com/keyward/keyward/internal/usage"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/wire"
)

const (
	usesAtOnce     = 128 // the source writes them in one transaction
	refusalsAtOnce = 300
	mostEarlier    = 1000 // earlier values of keys whose last use waits
	mostRefused    = 500  // of one batch, with those of the last key

	maxSeq = 1<<53 - 1 // every client reads such a number exactly
)

// Reporter counts the decisions of a follower, and tells the source of them in numbered batches: each is taken down
// once, however often it has to be sent. It is a verify.Recorder and verify.Refusals.
type Reporter struct {
	client   *Client
	names    func(perm.Set) []string
	sheet    *usage.Buffer
	refusals *refusal.Ring
	uses     []usage.Entry

	sending sync.Mutex
	lost    int64   // that the source was told of
	waiting *report // was sent, and has no answer yet
	dropped atomic.Int64
	sent    atomic.Int64

	mu      sync.Mutex
	earlier map[earlierValue]int64
}

// report is a batch that goes out under its number until it is answered.
type report struct {
	body     []byte
	uses     int
	refusals [][]refusal.Record
}

type earlierValue struct {
	key   [16]byte
	until int64
}

// NewReporter makes a reporter that has at most so many keys and minutes wait, beyond which uses are lost.
func NewReporter(c *Client, names func(perm.Set) []string, waiting int) *Reporter {
	return &Reporter{client: c, names: names, sheet: usage.NewBuffer(waiting), refusals: refusal.NewRing(),
		uses: make([]usage.Entry, usesAtOnce), earlier: map[earlierValue]int64{}}
}

// Record is verify.Recorder. It keeps no demand: which permissions were asked for stays here.
func (r *Reporter) Record(at int64, _ perm.Demand, v *verify.Verdict) {
	switch v.Code {
	case verify.Valid:
		r.sheet.Add(v.Key.UUID, v.Key.Workspace, usage.Verified, 0, at)
	case verify.Unavailable: // nothing was decided
	case verify.Malformed:
		r.sheet.AddUnknown(usage.Malformed, at)
	case verify.NotFound:
		r.sheet.AddUnknown(usage.NotFound, at)
	default:
		if code, ok := usage.CodeOf(v.Code); ok {
			r.sheet.Add(v.Key.UUID, v.Key.Workspace, code, 0, at)
		}
	}
}

// RecordEarlier is verify.Recorder.
func (r *Reporter) RecordEarlier(at int64, key [16]byte, until int64, _ netip.Addr) {
	v := earlierValue{key, until}
	r.mu.Lock()
	defer r.mu.Unlock()
	if was, there := r.earlier[v]; there || len(r.earlier) < mostEarlier {
		r.earlier[v] = max(was, at)
	}
}

// Refused is verify.Refusals.
func (r *Reporter) Refused(one refusal.Record) { r.refusals.Add(one) }

// Flush tells the source of all that was counted until now. After an error the rest is kept, and told by the next one.
func (r *Reporter) Flush(ctx context.Context) error {
	r.sending.Lock()
	defer r.sending.Unlock()
	if err := r.drain(ctx); err != nil { // of an earlier one
		return err
	}
	r.sheet.Turn()
	r.refusals.Turn()
	return r.drain(ctx)
}

// drain sends batches until nothing of the last turn is left.
func (r *Reporter) drain(ctx context.Context) error {
	for {
		if r.waiting == nil {
			r.waiting = r.next()
		}
		if r.waiting == nil {
			return nil
		}
		_, err := post[wire.UsesTaken](ctx, r.client, "/usage", r.waiting.body)
		var refused *Refusal
		switch {
		case err == nil:
			r.sent.Add(int64(r.waiting.uses))
		case errors.As(err, &refused) && refused.lasting():
			r.dropped.Add(int64(r.waiting.uses)) // it would be refused for ever
		default:
			return fmt.Errorf("tell the source what was counted: %w", err)
		}
		r.sheet.Settle()
		r.refusals.Settle(r.waiting.refusals)
		r.waiting = nil
	}
}

// next makes the next batch; nil where there is nothing to tell.
func (r *Reporter) next() *report {
	b := &report{uses: r.sheet.Take(r.uses), refusals: r.refusals.Take(refusalsAtOnce)}
	earlier := r.takeEarlier()
	if b.uses+len(b.refusals)+len(earlier) == 0 {
		return nil
	}
	lost := r.Lost()
	in := wire.FollowerUses{
		Incarnation: r.client.Incarnation, Number: r.client.numbers.uses.Add(1), Lost: lost - r.lost, Previous: earlier,
	}
	r.lost = lost
	for i := range r.uses[:b.uses] {
		in.Uses = append(in.Uses, shownUse(&r.uses[i]))
	}
	for _, records := range b.refusals {
		for i := range records {
			if len(in.Refusals) < mostRefused {
				in.Refusals = append(in.Refusals, r.shownRefusal(&records[i]))
			}
		}
	}
	var err error
	if b.body, err = json.Marshal(&in); err != nil { // it is made of numbers and texts
		panic(err)
	}
	return b
}

func (r *Reporter) takeEarlier() (all []wire.FollowerEarlier) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for v, at := range r.earlier {
		all = append(all, wire.FollowerEarlier{KeyID: wire.Place(id.Format(v.key)), UntilMS: v.until, UsedMS: at})
	}
	clear(r.earlier)
	return all
}

func shownUse(e *usage.Entry) wire.FollowerUse {
	out := wire.FollowerUse{StartMS: e.Minute, UsedMS: e.Used, TriedMS: e.Tried, Counts: map[string]int64{}}
	if e.Key != (usage.ID{}) {
		out.KeyID, out.WorkspaceID = wire.Place(id.Format(e.Key)), wire.Place(id.Format(e.Workspace))
	}
	for code, n := range e.Counts {
		if n > 0 {
			out.Counts[usage.Code(code).String()] = n
		}
	}
	return out
}

func (r *Reporter) shownRefusal(one *refusal.Record) wire.FollowerRefusal {
	out := wire.FollowerRefusal{
		KeyID: wire.Place(id.Format(one.Key)), AtMS: one.At, Seq: one.Seq & maxSeq, Code: string(one.Code),
		Reason:   one.Reason.String(),
		Previous: one.Earlier, All: r.names(one.Demand.All), Any: r.names(one.Demand.Any), Missing: r.names(one.Missing),
		Cost: int64(one.Cost), Number: one.Number,
	}
	if one.IP.IsValid() {
		out.IP = one.IP.String()
	}
	return out
}

// Lost is how many uses and refusals found no room, or were refused by the source.
func (r *Reporter) Lost() int64 { return r.sheet.Lost() + r.refusals.Lost() + r.dropped.Load() }

// Waiting is how many keys and minutes the source was not told of yet.
func (r *Reporter) Waiting() int { return r.sheet.Waiting() }
