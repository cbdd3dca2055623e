package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// A settlement is decided in one transaction, at a cost that does not grow with the keys. Their rows, and one event
// for each, are written afterwards in chunks, in the name of the caller who decided: by the request itself for as
// long as it waits, then by any node that finds the settlement unfinished. Readers judge by the settlement meanwhile
// (apikey.Settlement), so its progress makes no difference to them.

// pace bounds the work of one transaction.
type pace struct {
	atOnce  int64         // keys that are written in the transaction that decides
	fewest  int           // keys of a chunk at least, and of the first one
	inChunk int           // keys at most
	chunk   time.Duration // for which rows are written; the commit comes on top
	aim     time.Duration // for a chunk with its commit
}

func paceOf(c *Config) pace {
	p := pace{atOnce: 100, fewest: fewest, inChunk: 100, chunk: 8 * time.Millisecond, aim: 15 * time.Millisecond}
	if c.AtOnce != 0 {
		p.atOnce = max(0, c.AtOnce)
	}
	if c.InChunk != 0 {
		p.fewest = c.InChunk
	}
	return p
}

const (
	readAtOnce = 32                      // keys
	patience   = 1800 * time.Millisecond // of a request, from its beginning
)

// settle decides the outcome for a user's keys, and writes the rows if they are few. Otherwise it returns the
// settlement. undo is kept with the keys as they were; nil keeps nothing.
func (s *Service) settle(tx *store.Tx, a *actor, decided *apikey.Settlement, keys int64, undo *store.Removal,
	alone ...override,
) (open id.Settlement, err error) {
	decided.ID = id.Settlement(s.ids.Next())
	raw, err := json.Marshal(a.origin())
	if err != nil {
		return "", fmt.Errorf("keep who settles: %w", err)
	}
	if err := tx.Settle(decided, string(raw)); err != nil {
		return "", err
	}
	if undo != nil {
		undo.ID = decided.ID
		if err := tx.KeepRemoval(*undo); err != nil {
			return "", err
		}
	}
	if err := s.settleOverrides(tx, decided, alone); err != nil {
		return "", err
	}
	if keys > s.pace.atOnce {
		return decided.ID, nil
	}
	u, err := tx.Unsettled(decided.ID)
	if err != nil {
		return "", err
	}
	w := writing{Service: s, tx: tx, u: &u, enough: func(int) bool { return false }}
	if _, err := w.run(); err != nil {
		return "", err
	}
	return "", tx.Settled(&u)
}

// welcomeBack takes the mark from keys that were kept when their creator left, now that the creator is a member again:
// they are ordinary keys, and stop when the creator leaves again.
func (s *Service) welcomeBack(tx *store.Tx, a *actor, m account.Member) (open id.Settlement, err error) {
	kept, err := tx.HasKept(m.Workspace, m.User)
	if err != nil || !kept {
		return "", err
	}
	return s.settle(
		tx, a, &apikey.Settlement{Workspace: m.Workspace, User: m.User, Kind: apikey.Return, By: a.id(), At: tx.Now()},
		m.KeyCount, nil,
	)
}

// writeOn writes the rows of a settlement, chunk by chunk, for as long as a request waits. The rest is for
// SettleNext.
func (s *Service) writeOn(ctx context.Context, c Caller, open id.Settlement, began time.Time) {
	ctx = store.InTurnOf(ctx, c.tenant())
	for open != "" && ctx.Err() == nil && s.now().Sub(began) < patience {
		if done, err := s.writeChunk(context.WithoutCancel(ctx), open); done || err != nil {
			return
		}
	}
}

// SettleNext writes the rows of the oldest settlement on which no node has worked for so long, and tells whether there
// was one. It goes on until all are written, or ctx ends.
func (s *Service) SettleNext(ctx context.Context, idle time.Duration) (found bool, err error) {
	open, err := s.db.NextUnsettled(ctx, idle)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	for done := false; err == nil && !done && ctx.Err() == nil; {
		done, err = s.writeChunk(context.WithoutCancel(ctx), open)
	}
	return err == nil, err
}

// stride is how many keys a chunk has: fewer after one that took too long with its commit, more after a quick one.
func (p *pace) stride(last int, took time.Duration) int {
	switch {
	case took > p.aim:
		return max(p.fewest, last/2)
	case took < p.aim/2:
		return min(p.inChunk, last+(last+1)/2)
	}
	return last
}

// fewest is the pace's by default: on a machine that is slow or busy a smaller one would
// be little but its commit.
const fewest = 25

// writeChunk writes rows for a moment, in a transaction of its own that no other joins, and tells whether all are
// written. It ends early where others wait for the writer.
func (s *Service) writeChunk(ctx context.Context, open id.Settlement) (done bool, err error) {
	most := int(s.inChunk.Load())
	var began time.Time
	defer func() { s.inChunk.Store(int64(s.pace.stride(most, s.now().Sub(began)))) }()
	_, err = s.db.UpdateApart(ctx, func(tx *store.Tx) error {
		began = s.now()
		u, err := tx.Unsettled(open)
		if errors.Is(err, store.ErrNotFound) {
			done = true
			return nil
		}
		if err != nil {
			return err
		}
		if err := tx.NarrowHeirs(u.Workspace); err != nil { // by a catalogue that became another one meanwhile
			return err
		}
		w := writing{Service: s, tx: tx, u: &u, enough: func(keys int) bool {
			return keys >= most || keys >= s.pace.fewest && s.now().Sub(began) >= s.pace.chunk || tx.ShouldEnd()
		}}
		if done, err = w.run(); err != nil {
			return err
		}
		if done {
			return tx.Settled(&u)
		}
		return tx.Advance(&u)
	})
	return done, err
}

// writing writes the rows that a settlement covers, in the order of their ids.
type writing struct {
	*Service
	tx     *store.Tx
	u      *store.Unsettled
	enough func(keys int) bool
	moved  map[id.User]int // keys, to whom they belong now
}

// run goes on until it has written enough, or all.
func (w *writing) run() (done bool, err error) {
	w.moved = make(map[id.User]int)
	if done, err = w.write(); err != nil {
		return false, err
	}
	for to, n := range w.moved {
		if err := w.tx.MoveKeys(w.u.Workspace, w.u.User, to, n); err != nil {
			return false, err
		}
	}
	return done, nil
}

func (w *writing) write() (done bool, err error) {
	chain, err := w.tx.UnsettledOf(w.u.Workspace, w.u.User)
	if err != nil {
		return false, err
	}
	for n := 0; ; {
		keys, err := w.tx.UnsettledKeys(w.u, readAtOnce)
		if err != nil {
			return false, err
		}
		for i := range keys {
			to, err := w.settleRow(w.tx, chain, &keys[i])
			if err != nil {
				return false, err
			}
			w.moved[to]++
			w.u.After = string(keys[i].ID)
			if n++; w.enough(n) {
				return false, nil
			}
		}
		if len(keys) < readAtOnce {
			return true, nil
		}
	}
}

// settleRow writes a key's row as the open settlements of its creator have it, with an event for each that changes it,
// and gives to whom it belongs then. was is the key as its row has it.
func (s *Service) settleRow(tx *store.Tx, chain []store.Unsettled, was *apikey.Key) (to id.User, err error) {
	k, touched, err := s.settleKey(tx, chain, was)
	if err == nil && touched {
		err = tx.WriteSettled(k)
	}
	return k.User, err
}

// settleAlone is settleRow that writes the row in any case, so that no settlement of before covers it.
func (s *Service) settleAlone(tx *store.Tx, chain []store.Unsettled, was *apikey.Key) (to id.User, err error) {
	k, _, err := s.settleKey(tx, chain, was)
	if err == nil {
		err = tx.WriteSettled(k)
	}
	return k.User, err
}

func (s *Service) settleKey(
	tx *store.Tx, chain []store.Unsettled, was *apikey.Key,
) (k apikey.Key, touched bool, err error) {
	k = *was
	for i := range chain {
		u := &chain[i]
		if u.Period < k.Period {
			continue
		}
		before := k
		outcome, changed := u.Apply(&k)
		if !changed {
			continue
		}
		touched = true
		if err := s.recordSettled(tx, u, outcome, &before, &k); err != nil {
			return k, touched, err
		}
	}
	return k, touched, nil
}

func (s *Service) recordSettled(tx *store.Tx, u *store.Unsettled, outcome apikey.Outcome, was, k *apikey.Key) error {
	var by origin
	if err := json.Unmarshal([]byte(u.Origin), &by); err != nil {
		return fmt.Errorf("read who settled: %w", err)
	}
	told := change{kind: audit.APIKeyUpdated, workspace: k.Workspace, target: string(k.ID), free: true,
		sentence: fmt.Sprintf("API key %s: its creator %s was removed", quoted(k.Name), was.User),
		before:   settledFields(was), after: settledFields(k), note: fields{"reason": "member.removed"}}
	if outcome == apikey.Returned {
		told.sentence = fmt.Sprintf("API key %s: its creator %s is a member again", quoted(k.Name), k.User)
		told.note = fields{"reason": "member.added"}
	}
	return s.recordFor(tx, by, told)
}

// settledFields are the fields of keyFields that a settlement may change. The others are alike before and after, and
// making them took most of the time of a row.
func settledFields(k *apikey.Key) fields {
	return fields{
		"userId": string(k.User), "isActive": k.IsActive, "kept": k.Orphan, "disabledBy": orNull(k.Disabled.By),
		"disabledAt": stamp(k.Disabled.At), "disabledByManageOthers": k.Disabled.Right,
	}
}

// settleFirst writes the row of a key that is about to change, where a settlement covers it still.
func (s *Service) settleFirst(tx *store.Tx, k *apikey.Key) error {
	if !k.Unsettled {
		return nil
	}
	was, err := tx.WrittenKey(k.ID)
	if err != nil {
		return err
	}
	chain, err := tx.UnsettledOf(was.Workspace, was.User)
	if err != nil {
		return err
	}
	to, err := s.settleRow(tx, chain, &was)
	if err != nil {
		return err
	}
	return tx.MoveKeys(was.Workspace, was.User, to, 1)
}

// settlementFields are the fields that repeat a settlement.
func (s *Service) settlementFields(d *apikey.Settlement) fields {
	out := fields{"settlement": string(d.Kind)}
	if d.Kind == apikey.Transfer {
		out["heir"], out["permissions"], out["bounded"] = string(d.Heir), s.cat.Names(d.Ceiling), d.Bound != nil
	}
	return out
}
