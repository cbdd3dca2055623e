package lender

import (
	"context"
	"errors"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/refusal"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/usage"
)

// oldest is how long ago a use may be that a follower tells of.
const oldest = 48 * time.Hour

// ErrTime says that a use lies in the future, or too long ago.
var ErrTime = errors.New("lies in the future, or more than 48 hours ago")

// Report takes down the uses that a follower has counted, once: a batch that comes again does nothing. Uses and
// refusals of keys that are not within the bounds of the caller are passed over: their places stay empty.
func (l *Lender) Report(ctx context.Context, c *Caller, number int64, r *Report) error {
	now := l.Now()
	first, last := now.Add(-oldest).UnixMilli(), now.Add(time.Minute).UnixMilli()
	timely := func(at ...int64) bool {
		for _, ms := range at {
			if ms != 0 && (ms < first || ms > last) {
				return false
			}
		}
		return true
	}
	kept := Report{}
	for _, e := range r.Uses {
		if !timely(e.Minute, e.Used, e.Tried) {
			return ErrTime
		}
		if e.Key != (usage.ID{}) && !l.covers(c, e.Key, &e.Workspace) {
			e = usage.Entry{Minute: e.Minute}
		}
		kept.Uses = append(kept.Uses, e)
	}
	for _, e := range r.Earlier {
		if !timely(e.At) {
			return ErrTime
		}
		var ws usage.ID
		if !l.covers(c, e.Key, &ws) {
			e = EarlierUse{}
		}
		kept.Earlier = append(kept.Earlier, e)
	}
	for _, records := range r.Refusals {
		kept.Refusals = append(kept.Refusals, l.refusals(c, records, timely))
	}
	return l.Tally.Take(ctx, c.batch("uses", number), &kept)
}

// refusals keeps those of one key that are timely, and puts the key's workspace into them.
func (l *Lender) refusals(c *Caller, records []refusal.Record, timely func(...int64) bool) (kept []refusal.Record) {
	var v replica.View
	if len(records) == 0 || !l.find(c, records[0].Key, &v) {
		return nil
	}
	for _, r := range records {
		if r.Workspace = v.Workspace; timely(r.At) {
			kept = append(kept, r)
		}
	}
	return kept
}

// covers tells whether a key lies within the bounds of the caller, and sets its workspace. A key that was deleted
// since counts for the workspace that the caller names, where that alone decides about the bounds.
func (l *Lender) covers(c *Caller, key usage.ID, ws *usage.ID) bool {
	var v replica.View
	if l.Find(key, &v) {
		*ws, _ = id.Parse(string(v.Workspace))
		return c.Reach.Covers(v.Workspace, v.Environment)
	}
	return c.Reach.Environments == nil && c.Reach.Workspace(id.Workspace(id.Format(*ws)))
}
