package redislimit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/keyward/keyward/internal/ratelimit/lease"
)

// aliveFor is how long Redis lists a node that says nothing more.
const aliveFor = 5 * time.Second

// watch holds the state of Redis as a whole.
type watch struct {
	lease.Standing
	told  atomic.Bool   // it was said once how Redis is
	heard atomic.Uint64 // counts answers of any kind
	doubt atomic.Bool   // a question has failed, and nothing was answered since
	// servers are the replication ids of all primaries of the epoch, "" where a look found others.
	servers atomic.Pointer[string]
	ring    chan struct{} // has Redis looked at before its time

	mu      sync.Mutex
	looking chan struct{} // closed when the look that is under way has ended; nil where none is; owned by mu

	// The inspection's own; one at a time.
	seen  int64 // monotonic milliseconds of the latest look that told the epoch
	fewer int64 // monotonic milliseconds since when fewer nodes are counted than nodes says; 0 where they are not
}

func (w *watch) init() {
	w.Down.Store(true)
	w.Epoch.Store(&lease.Epoch{})
	w.Nodes.Store(1)
	w.servers.Store(new(string))
	w.ring = make(chan struct{}, 1)
}

// look asks how Redis is, and takes part in the count of nodes. A look that is under way is joined.
func (l *Limiter) look(ctx context.Context) {
	w := &l.watch
	w.mu.Lock()
	if under := w.looking; under != nil {
		w.mu.Unlock()
		<-under
		return
	}
	done := make(chan struct{})
	w.looking = done
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.looking = nil
		w.mu.Unlock()
		close(done)
	}()
	if err := l.patiently(ctx, max(l.timeout, time.Second), l.inspect); err != nil {
		l.lost(err)
		return
	}
	l.hear()
	w.told.Store(true)
	if w.Down.Swap(false) {
		l.log.Info("Redis answers: minute limits are shared", "nodes", l.watch.NodesNow())
		l.warnOfEviction(ctx)
	}
}

// warnOfEviction says where a server may drop keys when its memory is full: then limits begin anew, and nothing tells.
func (l *Limiter) warnOfEviction(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for addr, node := range l.client.Nodes() {
		info, err := node.Do(ctx, node.B().Info().Section("memory").Build()).ToString()
		if policy := infoField(info, "maxmemory_policy"); err == nil && policy != "" && policy != "noeviction" {
			l.log.Warn(
				"Redis is set to evict: minutes of keys that it drops begin anew, and nothing tells; set maxmemory-policy noeviction",
				"server", addr, "policy", policy,
			)
		}
	}
}

// lost has the policy hold until a look finds Redis again.
func (l *Limiter) lost(err error) {
	if !l.watch.Down.Swap(true) || !l.watch.told.Swap(true) {
		l.log.Warn("Redis cannot be asked: minute limits follow the policy", "error", err.Error())
	}
}

func (l *Limiter) inspect(ctx context.Context) error {
	if l.client == nil {
		c, err := l.connect()
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		l.client = c
	}
	ids, primaries, err := l.primaries(ctx)
	if err != nil {
		return err
	}
	server := joined(ids)
	step, err := l.readClocks(ctx, primaries)
	if err != nil {
		return err
	}
	asked := l.clock.Mono()
	text, now, err := l.epoch(ctx, l.scripts.read)
	if err != nil {
		return fmt.Errorf("read the epoch: %w", err)
	}
	known, lost := l.watch.Epoch.Load().Name, "0"
	if known != "" || text != "" || l.Policy() == Closed && l.unused != nil && !l.unused() {
		lost = "1"
	}
	stepped := step != 0 && known == text // else another node has found it before
	if !strings.HasSuffix(text, " "+server) || known != "" && known != text && began(text) == 0 || stepped {
		text, now, err = l.epoch(ctx, l.scripts.renew, text, rand.Text(), server, lost)
		if err != nil {
			return fmt.Errorf("begin an epoch: %w", err)
		}
	}
	if err := l.count(ctx, now); err != nil {
		return err
	}
	if err := l.lookForOthers(ctx, now); err != nil {
		return err
	}
	l.enter(text, now, step, ids)
	l.watch.seen = asked
	return nil
}

// epoch runs a script that tells the epoch, and the second of the clock by which it counts, at one instant. A clock
// that was read before the epoch is known may be another one than that by which the epoch has begun.
func (l *Limiter) epoch(ctx context.Context, script *rueidis.Lua, args ...string) (text string, now int64, err error) {
	r, err := script.Exec(ctx, l.client, []string{l.epochKey}, args).AsStrSlice()
	if err != nil {
		return "", 0, err
	}
	if len(r) != 2 {
		return "", 0, fmt.Errorf("%d texts", len(r))
	}
	now, err = strconv.ParseInt(r[1], 10, 64)
	return r[0], now, err
}

// readClocks tells by how much the clock of Redis was set since it was read last: in a cluster the largest step forward
// of all primaries, else one back.
func (l *Limiter) readClocks(ctx context.Context, primaries map[string]rueidis.Client) (step int64, err error) {
	if !l.cluster {
		return l.readClock(ctx, "", l.client)
	}
	for addr, node := range primaries {
		by, err := l.readClock(ctx, addr, node)
		if err != nil {
			return 0, err
		}
		if by != 0 && (step == 0 || by > step) {
			step = by
		}
	}
	l.paces.keep(primaries)
	return step, nil
}

// readClock reads one server's clock, and tells by how much it was set.
func (l *Limiter) readClock(ctx context.Context, server string, node rueidis.Client) (step int64, err error) {
	sent := l.clock.Mono()
	t, err := node.Do(ctx, node.B().Time().Build()).AsIntSlice()
	if err != nil || len(t) != 2 {
		return 0, fmt.Errorf("read Redis's clock: %w", err)
	}
	return l.paces.step(server, paceOf(t[0]*1000+t[1]/1000, sent, l.clock.Mono())), nil
}

// primaries gives the replication ids of all primaries, which name the memory that answers, and their clients. An id
// changes when a server starts without its data and when a replica takes a primary's place.
func (l *Limiter) primaries(ctx context.Context) (ids []string, primaries map[string]rueidis.Client, err error) {
	nodes := l.client.Nodes()
	primaries = map[string]rueidis.Client{}
	for addr, node := range nodes {
		info, err := node.Do(ctx, node.B().Info().Section("replication").Build()).ToString()
		if err != nil {
			if len(nodes) > 1 && ctx.Err() == nil {
				continue // a server that is gone counts by its absence
			}
			return nil, nil, fmt.Errorf("ask %s about itself: %w", addr, err)
		}
		if infoField(info, "role") == "master" {
			primaries[addr] = node
			ids = append(ids, infoField(info, "master_replid"))
		}
	}
	if len(ids) == 0 {
		return nil, nil, fmt.Errorf("no primary answers")
	}
	return ids, primaries, nil
}

// count says at a second of Redis's clock that this node is alive, and counts those that are. A node from the future
// was there before the clock was set back.
func (l *Limiter) count(ctx context.Context, now int64) error {
	key, b := l.prefix+"nodes", l.client.B()
	oldest, youngest := number(now-seconds(aliveFor)), number(now+seconds(aliveFor))
	results := l.client.DoMulti(ctx,
		b.Zadd().Key(key).ScoreMember().ScoreMember(float64(now), l.node).Build(),
		b.Zremrangebyscore().Key(key).Min("-inf").Max("("+oldest).Build(),
		b.Zremrangebyscore().Key(key).Min("("+youngest).Max("+inf").Build(),
		b.Zcard().Key(key).Build(),
	)
	for _, r := range results {
		if err := r.Error(); err != nil { // also a Redis that takes no writes, of any key
			return fmt.Errorf("count the nodes: %w", err)
		}
	}
	n, err := results[len(results)-1].AsInt64()
	if err != nil {
		return fmt.Errorf("count the nodes: %w", err)
	}
	l.counted(max(n, 1))
	return nil
}

// counted believes in more nodes at once, and in fewer only once nothing that a missing one has admitted counts any
// more: it may have spent its share a moment before it was gone, or may still be spending it, as one that was only
// slow. A Redis that has lost its memory counts the nodes one by one again, and the first would take its share for the
// whole.
func (l *Limiter) counted(n int64) {
	w, now := &l.watch, l.clock.Mono()
	switch {
	case n >= w.Nodes.Load():
		w.fewer = 0
	case w.fewer == 0:
		w.fewer = now
		return
	case now-w.fewer < lease.ColdTime.Milliseconds():
		return
	}
	w.fewer = 0
	w.Nodes.Store(n)
}

// enter notes the epoch. A new one is cold until everything that the old one had charged has run out.
func (l *Limiter) enter(text string, now, step int64, primaries []string) {
	before := l.watch.Epoch.Load()
	if before.Name == text {
		return
	}
	left := l.coldFor(before, now-began(text), step)
	l.watch.Cold.Store(l.clock.Mono() + left.Milliseconds())
	l.watch.Epoch.Store(&lease.Epoch{Name: text, Count: before.Count + 1, Step: max(step, 0)})
	servers := ""
	if strings.HasSuffix(text, " "+joined(primaries)) { // else another node has seen others, and the next look tells
		servers = strings.Join(primaries, " ")
	}
	l.watch.servers.Store(&servers)
	then := "minute limits are divided between the nodes for a minute"
	if l.Policy() == Closed {
		then = "keys with a limit per minute are refused for a minute"
	}
	switch {
	case before.Name == "" && left == 0:
		return
	case before.Name == "":
		l.log.Warn("Redis may have lost what it knew before this start: "+then, "nodes", l.watch.NodesNow())
		return
	case step != 0:
		l.log.Warn("Redis's clock was set: "+then, "nodes", l.watch.NodesNow(),
			"by", (time.Duration(step) * time.Millisecond).String())
	default:
		l.log.Warn("Redis has lost what it knew: "+then, "nodes", l.watch.NodesNow())
	}
	l.counts.epochs.Add(1)
}

// coldFor is how long an epoch that has begun so many seconds ago, by Redis's clock, is still cold. It cannot have
// begun before this node saw the one before, and nothing is known of its age where Redis's clock was set since.
func (l *Limiter) coldFor(before *lease.Epoch, seconds, step int64) time.Duration {
	age := time.Duration(max(seconds, 0)) * time.Second // the clock may have been set back since
	if before.Name != "" {
		age = min(age, time.Duration(l.clock.Mono()-l.watch.seen)*time.Millisecond)
		if step != 0 {
			age = 0
		}
	}
	return max(lease.ColdTime-age, 0)
}

// began is when the epoch began, in Unix seconds; 0 for the first one of an installation, before which nothing was
// charged.
func began(text string) int64 {
	if parts := strings.Fields(text); len(parts) == 3 {
		if n, err := strconv.ParseInt(parts[1], 10, 64); err == nil {
			return n
		}
	}
	return 0
}

func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return v
		}
	}
	return ""
}

// joined is one word for any number of servers, in any order.
func joined(ids []string) string {
	if len(ids) == 1 {
		return ids[0]
	}
	slices.Sort(ids)
	sum := sha256.Sum256([]byte(strings.Join(ids, " ")))
	return hex.EncodeToString(sum[:20])
}
