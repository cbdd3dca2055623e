package redislimit

import (
	"context"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/keyward/keyward/internal/ratelimit/lease"
)

var (
	//go:embed take.lua
	takeText string
	//go:embed restore.lua
	restoreText string
	//go:embed renew.lua
	renewText string
	//go:embed read.lua
	readText string
)

// scripts are never sent twice by the client itself: one whose answer was lost may have charged.
type scripts struct{ take, restore, renew, read *rueidis.Lua }

func newScripts() scripts {
	return scripts{
		take:    rueidis.NewLuaScript(takeText),
		restore: rueidis.NewLuaScript(restoreText),
		renew:   rueidis.NewLuaScript(renewText),
		read:    rueidis.NewLuaScript(readText),
	}
}

// known is how long a refusal holds without another question, in milliseconds: a moment, and no longer than until the
// cost fits again.
func known(now, retry int64) int64 {
	const moment = 100
	if retry < 0 {
		return moment
	}
	return min(max(retry-now, 0), moment)
}

var (
	errOtherEpoch = fmt.Errorf("redis: %w", lease.ErrOtherEpoch)
	errStepped    = fmt.Errorf("%w to come: its clock was set", errOtherEpoch)
)

// memoryOf names what Redis has to remember for a question of an epoch: the epoch's name, or in a cluster, where that
// lies on another slot, the primaries of the epoch. The script compares it, so that nothing is granted, and nothing
// taken back, after a loss. It is read before the count of the epoch, because enter stores it after that.
func (l *Limiter) memoryOf(epoch uint64) (string, error) {
	memory := l.watch.Epoch.Load().Name
	if l.cluster {
		memory = *l.watch.servers.Load()
	}
	if l.watch.Epoch.Load().Count != epoch {
		return "", errOtherEpoch
	}
	return memory, nil
}

// ask runs take.lua on one or two questions, which are granted the cost together or not at all. After an error the
// requested units may have been charged all the same.
func (l *Limiter) ask(
	ctx context.Context, memory string, cost int64, questions ...lease.Question,
) (a [2]lease.Answer, err error) {
	var keys []string
	for i := range questions {
		keys = append(keys, l.name(&questions[i].Of))
	}
	if !l.cluster {
		keys = append(keys, l.epochKey)
	}
	args := []string{memory, number(int64(len(questions))), number(cost)}
	for _, q := range questions {
		args = append(args, number(q.Limit), number(q.Want), number(q.Ahead), number(int64(len(q.Settle))))
		for _, g := range q.Settle {
			args = append(args, number(g.Lot), number(g.Units))
		}
	}
	sent := l.clock.Mono()
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
	if l.paces.strange(paceOf(now, sent, l.clock.Mono())) {
		return a, errStepped
	}
	for i := range questions {
		a[i] = l.told(now, r[1+4*i:])
		a[i].Lot = now/1000 + questions[i].Ahead
	}
	return a, nil
}

// told puts Redis's instants onto this node's clock. A lease is known by the second to which it is charged.
func (l *Limiter) told(now int64, r []int64) lease.Answer {
	a := lease.Answer{Granted: r[0], Charged: r[1], Reset: r[2], Retry: r[3], Known: known(now, r[3])}
	ahead := l.clock.Wall() - now
	if a.Reset > 0 {
		a.Reset += ahead
	}
	if a.Retry > 0 {
		a.Retry += ahead
	}
	return a
}

// restore charges units that were admitted without Redis.
func (l *Limiter) restore(ctx context.Context, name string, owed []lease.Owing) error {
	args := make([]string, 0, 2*len(owed))
	for _, o := range owed {
		args = append(args, number(o.Ago), number(o.Units))
	}
	if err := l.scripts.restore.Exec(ctx, l.client, []string{name}, args).Error(); err != nil {
		return fmt.Errorf("charge in Redis what was admitted without it: %w", err)
	}
	return nil
}

// namesVersion is raised when what a name stands for changes: nodes that count under other names do not see each
// other's admissions. The names of version 1 had none.
const namesVersion = "2:"

// name is where the buckets of a key are, or those of a workspace. Both share a slot of a
// cluster, so that one script decides on both. No name in Redis tells anything but those two ids.
func (l *Limiter) name(of *lease.Account) string {
	name := l.prefix + "{" + string(of.Workspace) + "}"
	if of.Plan {
		return name
	}
	return name + hex.EncodeToString(of.ID[:])
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
