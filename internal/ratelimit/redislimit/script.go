package redislimit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"
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

// asked is one question to take.lua.
type asked struct {
	limit, cost, want int64
	ahead             int64   // seconds
	settle            []grant // leases whose rest is given back
}

// answered is the script's answer. Instants are Unix milliseconds.
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

// ask runs take.lua. After an error the requested units may have been charged all the same.
func (l *Limiter) ask(ctx context.Context, key [16]byte, q asked) (a answered, err error) {
	keys := []string{l.key(key)}
	epoch := ""
	if !l.cluster {
		epoch = l.watch.epoch.Load().text
		keys = append(keys, l.epochKey)
	}
	args := []string{epoch, number(q.limit), number(q.cost), number(q.want), number(q.ahead)}
	for _, g := range q.settle {
		args = append(args, number(g.second), number(g.left))
	}
	sent := l.mono()
	r, err := l.scripts.take.Exec(ctx, l.client, keys, args).AsIntSlice()
	if err != nil {
		return a, fmt.Errorf("ask Redis for a share: %w", err)
	}
	if len(r) != 5 {
		return a, fmt.Errorf("ask Redis for a share: %d numbers", len(r))
	}
	if r[0] < 0 {
		return a, errOtherEpoch
	}
	if l.paces.strange(paceOf(r[2], sent, l.mono())) {
		return a, errStepped
	}
	return l.told(r), nil
}

// told puts Redis's instants onto this node's clock, but for now.
func (l *Limiter) told(r []int64) answered {
	a := answered{granted: r[0], charged: r[1], now: r[2], reset: r[3], retry: r[4]}
	ahead := l.now().UnixMilli() - a.now
	if a.reset > 0 {
		a.reset += ahead
	}
	if a.retry > 0 {
		a.retry += ahead
	}
	return a
}

// restore charges units that were admitted without Redis.
func (l *Limiter) restore(ctx context.Context, key [16]byte, owed []owing) error {
	args := make([]string, 0, 2*len(owed))
	for _, o := range owed {
		args = append(args, number(o.ago), number(o.units))
	}
	if err := l.scripts.restore.Exec(ctx, l.client, []string{l.key(key)}, args).Error(); err != nil {
		return fmt.Errorf("charge in Redis what was admitted without it: %w", err)
	}
	return nil
}

// key is where a key's buckets are. No name in Redis tells anything but the key's id.
func (l *Limiter) key(id [16]byte) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, len(l.prefix)+34)
	b = append(b, l.prefix...)
	b = append(b, '{')
	for _, c := range id {
		b = append(b, hex[c>>4], hex[c&15])
	}
	return string(append(b, '}'))
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
