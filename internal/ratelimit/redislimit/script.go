package redislimit

import (
	"context"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/keyward/keyward/internal/ratelimit"
)

var (
	//go:embed take.lua
	takeText string
	//go:embed restore.lua
	restoreText string
	//go:embed renew.lua
	renewText string
)

// scripts are never sent twice by the client itself: one whose answer was lost may have charged.
type scripts struct{ take, restore, renew, clock *rueidis.Lua }

func newScripts() scripts {
	return scripts{
		take:    rueidis.NewLuaScript(takeText),
		restore: rueidis.NewLuaScript(restoreText),
		renew:   rueidis.NewLuaScript(renewText),
		clock:   rueidis.NewLuaScript("return redis.call('TIME')"),
	}
}

// asked is what take.lua is asked about a key or a workspace.
type asked struct {
	name        string
	limit, want int64
	ahead       int64   // seconds
	settle      []grant // leases whose rest is given back
}

// answered is the script's answer about one of them. Instants are Unix milliseconds.
type answered struct {
	granted int64
	charged int64
	now     int64 // by Redis's clock
	reset   int64
	retry   int64 // 0: now; -1: never
}

// known is how long a refusal holds without another question, in milliseconds: a moment, and no longer than until the
// cost fits again.
func (a *answered) known() int64 {
	const moment = 100
	if a.retry < 0 {
		return moment
	}
	return min(max(a.retry-a.now, 0), moment)
}

var (
	errOtherEpoch = errors.New("redis has another epoch")
	errStepped    = fmt.Errorf("%w to come: its clock was set", errOtherEpoch)
)

// ask runs take.lua on one or two questions, which are granted the cost together or not at all. After an error the
// requested units may have been charged all the same.
func (l *Limiter) ask(ctx context.Context, cost int64, questions ...asked) (a [2]answered, err error) {
	var keys []string
	for _, q := range questions {
		keys = append(keys, q.name)
	}
	epoch := ""
	if !l.cluster {
		epoch = l.watch.epoch.Load().text
		keys = append(keys, l.epochKey)
	}
	args := []string{epoch, number(int64(len(questions))), number(cost)}
	for _, q := range questions {
		args = append(args, number(q.limit), number(q.want), number(q.ahead), number(int64(len(q.settle))))
		for _, g := range q.settle {
			args = append(args, number(g.second), number(g.left))
		}
	}
	sent := l.mono()
	r, err := l.scripts.take.Exec(ctx, l.client, keys, args).AsIntSlice()
	if err != nil {
		return a, fmt.Errorf("ask Redis for a share: %w", err)
	}
	if len(r) == 1 && r[0] < 0 {
		return a, errOtherEpoch
	}
	if len(r) != 1+4*len(questions) {
		return a, fmt.Errorf("ask Redis for a share: %d numbers", len(r))
	}
	now := r[0]
	if l.paces.strange(paceOf(now, sent, l.mono())) {
		return a, errStepped
	}
	for i := range questions {
		a[i] = l.told(now, r[1+4*i:])
	}
	return a, nil
}

// told puts Redis's instants onto this node's clock, but for now.
func (l *Limiter) told(now int64, r []int64) answered {
	a := answered{now: now, granted: r[0], charged: r[1], reset: r[2], retry: r[3]}
	ahead := l.now().UnixMilli() - now
	if a.reset > 0 {
		a.reset += ahead
	}
	if a.retry > 0 {
		a.retry += ahead
	}
	return a
}

// restore charges units that were admitted without Redis.
func (l *Limiter) restore(ctx context.Context, name string, owed []owing) error {
	args := make([]string, 0, 2*len(owed))
	for _, o := range owed {
		args = append(args, number(o.ago), number(o.units))
	}
	if err := l.scripts.restore.Exec(ctx, l.client, []string{name}, args).Error(); err != nil {
		return fmt.Errorf("charge in Redis what was admitted without it: %w", err)
	}
	return nil
}

// namesVersion is raised when what a name stands for changes: nodes that count under other names do not see each other's
// admissions. The names of version 1 had none.
const namesVersion = "2:"

// name is where the buckets of a key are, or those of its workspace, where the id is the plan's. Both share a slot of a
// cluster, so that one script decides on both. No name in Redis tells anything but those two ids.
func (l *Limiter) name(who *ratelimit.Subject, id [16]byte) string {
	name := l.prefix + "{" + string(who.Workspace) + "}"
	if who.Plan != nil && who.Plan.ID == id {
		return name
	}
	return name + hex.EncodeToString(id[:])
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
