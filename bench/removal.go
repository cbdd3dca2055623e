package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/control"
)

const (
	removalKeys = 100_000
	removalWait = 50   // milliseconds that a change of another tenant may take, at the 99th percentile
	previewTime = 100  // milliseconds that the preview of the largest removal may take
	removalTime = 2000 // milliseconds after which a removal is answered
)

// removal takes a member out who has very many keys, and looks at what a tenant beside it waits for meanwhile: while
// all keys go to an heir, are kept, are ordinary again since the heir is back, and stop.
func removal(ctx context.Context, l *lab) (out result, err error) {
	dir, err := l.folder("removal")
	if err != nil {
		return out, err
	}
	k, err := open(ctx, dir)
	if err != nil {
		return out, err
	}
	defer k.db.Close()
	n := l.most(removalKeys, 500)
	f, err := k.fill(ctx, "large", n)
	if err != nil {
		return out, err
	}
	beside, err := k.workspace(ctx, "beside")
	if err != nil {
		return out, err
	}
	owner, err := k.ownerRole(ctx, f.ws)
	if err != nil {
		return out, err
	}
	join := func(user string) error {
		_, _, err := k.control.PutMember(
			ctx, k.root, f.ws, user, control.PutMember{Email: user + "@example.org", Role: owner},
		)
		return err
	}
	for _, user := range []string{"u-2", "u-3"} {
		if err := join(user); err != nil {
			return out, err
		}
	}
	var previews []time.Duration
	for range pageTimes {
		start := time.Now()
		if _, err := k.control.RemoveMember(ctx, k.root, f.ws, "u-1",
			control.RemoveMember{Keys: "transfer:u-2", DryRun: true}); err != nil {
			return out, err
		}
		previews = append(previews, time.Since(start))
	}
	out.figures = append(out.figures, figure{what: fmt.Sprintf("preview of a transfer of %d keys", n), unit: "ms",
		value: float64(median(previews).Microseconds()) / 1000, must: atMost(previewTime)})
	remove := func(user, keys string) func() error {
		return func() error {
			_, err := k.control.RemoveMember(ctx, k.root, f.ws, user, control.RemoveMember{Keys: keys})
			return err
		}
	}
	for _, one := range []struct {
		what string
		do   func() error
	}{
		{"handed over", remove("u-1", "transfer:u-2")}, {"kept", remove("u-2", "keep")},
		{"back", func() error { return join("u-2") }},
		{"stopped", remove("u-2", "stop")},
	} {
		figures, err := k.besideRows(ctx, beside, one.do)
		if err != nil {
			return out, err
		}
		figures[0].what = fmt.Sprintf("answer to a removal, %d keys %s", n, one.what)
		out.figures = append(out.figures, figures...)
	}
	return out, nil
}

func (k *kit) ownerRole(ctx context.Context, ws string) (string, error) {
	roles, _, err := k.control.ListRoles(ctx, k.root, ws, control.Paging{Limit: 100})
	for _, r := range roles {
		if r.Name == "Owner" {
			return string(r.ID), err
		}
	}
	return "", fmt.Errorf("there is no owner's role: %w", err)
}

// besideRows does something whose rows follow, and makes keys in another workspace one after the other until all of
// them are written.
func (k *kit) besideRows(ctx context.Context, ws string, do func() error) ([]figure, error) {
	var written atomic.Bool
	var answered, all time.Duration
	var failed error
	var work sync.WaitGroup
	start := time.Now()
	work.Go(func() {
		defer written.Store(true)
		if failed = do(); failed != nil {
			return
		}
		answered = time.Since(start)
		for found := true; found && failed == nil; {
			found, failed = k.control.SettleNext(ctx, 0)
		}
		all = time.Since(start)
	})
	var waits []time.Duration
	for !written.Load() || len(waits) == 0 {
		at := time.Now()
		if _, err := k.control.CreateKey(ctx, k.root,
			control.CreateKey{Workspace: ws, User: "u-1", Name: "beside"}); err != nil {
			return nil, err
		}
		waits = append(waits, time.Since(at))
	}
	work.Wait()
	slices.Sort(waits)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return []figure{
		{unit: "ms", value: ms(answered), must: atMost(removalTime)},
		{
			what: "a change of another workspace meanwhile, p99", unit: "ms", value: ms(waits[len(waits)*99/100]),
			must: atMost(removalWait),
		},
		{what: "the same, median", unit: "ms", value: ms(median(waits))},
		{what: "until every row is written", unit: "s", value: all.Seconds()},
	}, failed
}
