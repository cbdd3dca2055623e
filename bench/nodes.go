//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// nodes measures the cost of several nodes: verifications under leases from Redis, limits that ask Redis each time,
// and keys made in PostgreSQL. The servers are real, and on this machine: the network's part is not in it.
func nodes(ctx context.Context, l *lab) (r result, err error) {
	database, err := pgtest.Start("synchronous_commit=on")
	if err != nil {
		return r, fmt.Errorf("PostgreSQL: %w", err)
	}
	defer database.Remove()
	redis, err := l.redis()
	if err != nil {
		return r, err
	}
	defer redis.stop()
	for _, part := range []func(context.Context, *pgtest.Server, string, *result) error{l.leased, l.exact, l.created} {
		if err := part(ctx, database, redis.addr, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// redis starts one that keeps nothing.
func (l *lab) redis() (*process, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	dir, err := l.folder("redis")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(
		"redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir,
	)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("Redis: %w", err)
	}
	p := &process{cmd, addr}
	for range 500 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return p, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.stop()
	return nil, errors.New("Redis does not answer")
}

// trio is three nodes on one processor.
type trio struct {
	*site
	others []*process
}

func (t *trio) stop() {
	for _, p := range t.others {
		p.stop()
	}
	t.site.stop()
}

func (l *lab) openTrio(ctx context.Context, database *pgtest.Server, redis, mode string) (*trio, error) {
	url, err := newDatabase(ctx, database, mode)
	if err != nil {
		return nil, err
	}
	settings := []string{"KEYWARD_DATABASE_URL=" + url, "KEYWARD_REDIS_URL=redis://" + redis, "KEYWARD_LIMIT_MODE=" + mode}
	first, err := l.openSite(settings...)
	if err != nil {
		return nil, err
	}
	t := &trio{site: first}
	for range 2 {
		addr, err := freePort()
		if err == nil {
			cmd := pinned(0, first.binary, "serve")
			cmd.Env = append(
				os.Environ(),
				append(settings, "KEYWARD_ADDR="+addr, "KEYWARD_ROOT_KEY="+first.root, "KEYWARD_LOG_FORMAT=json")...)
			var p *process
			if p, err = begin(cmd, addr); err == nil {
				t.others = append(t.others, p)
			}
		}
		if err != nil {
			t.stop()
			return nil, err
		}
	}
	return t, nil
}

const trioConns = 10 // at each of the three

// ask has all three asked at once, and answers their rates together.
func (t *trio) ask(l *lab) (float64, error) {
	nodes := append([]*process{t.process}, t.others...)
	rates, errs := make([]float64, len(nodes)), make([]error, len(nodes))
	var all sync.WaitGroup
	for i, p := range nodes {
		all.Go(func() {
			var found load
			found, errs[i] = l.fire(p.addr, t.verification(), `"code":"VALID"`, trioConns)
			rates[i] = found.Rate
		})
	}
	all.Wait()
	return rates[0] + rates[1] + rates[2], errors.Join(errs...)
}

// leased compares three nodes, which share their limits by leases, with three that do not and with one alone, all of
// them on one processor: the difference is the cost of being three, and of sharing.
func (l *lab) leased(ctx context.Context, database *pgtest.Server, redis string, r *result) error {
	single, err := l.openSite()
	if err != nil {
		return err
	}
	defer single.stop()
	apart, err := l.openTrio(ctx, database, redis, "local")
	if err != nil {
		return err
	}
	defer apart.stop()
	sharing, err := l.openTrio(ctx, database, redis, "leased")
	if err != nil {
		return err
	}
	defer sharing.stop()
	medians, ratios, err := l.rivals(
		func() (float64, error) { return apart.ask(l) },
		func() (float64, error) { return sharing.ask(l) },
		func() (float64, error) {
			found, err := l.fire(single.addr, single.verification(), `"code":"VALID"`, 3*trioConns)
			return found.Rate, err
		})
	if err != nil {
		return err
	}
	what := "verify under leases, 3 nodes on one core"
	r.figures = append(r.figures,
		figure{what: what, unit: "requests/s", value: medians[1], baseline: medians[0], ratio: ratios[1], must: atLeast(0.9),
			against: "3 that share nothing"},
		figure{what: what, unit: "requests/s", value: medians[1], baseline: medians[2], ratio: ratios[1] / ratios[2],
			against: "one node without Redis on that core"})
	return nil
}

// exact holds a limit that asks Redis each time against a question to Redis that asks nothing.
func (l *lab) exact(ctx context.Context, _ *pgtest.Server, redis string, r *result) error {
	where, err := redislimit.ParseURL("redis://" + redis)
	if err != nil {
		return err
	}
	client, err := where.Connect()
	if err != nil {
		return err
	}
	defer client.Close()
	limiter := redislimit.New(
		redislimit.Options{
			Connect: where.Connect, Mode: redislimit.Exact, Node: "bench", Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		},
	)
	defer limiter.Close()
	for range 500 {
		if !limiter.Stats().Down {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	each := func(one func() error) func() (float64, error) {
		return func() (float64, error) {
			n := 0
			begin := time.Now()
			for ; time.Since(begin) < l.span; n++ {
				if err := one(); err != nil {
					return 0, err
				}
			}
			return float64(time.Since(begin).Microseconds()) / float64(n), nil
		}
	}
	var who ratelimit.Subject
	who.ID[0] = 1
	var s ratelimit.Status
	medians, ratios, err := l.rivals(
		each(func() error { return client.Do(ctx, client.B().Ping().Build()).Error() }),
		each(func() error {
			if o := limiter.Take(who, ratelimit.PerMinute{Key: ratelimit.Max}, 1, &s); o != ratelimit.Admitted {
				return fmt.Errorf("outcome %d", o)
			}
			return nil
		}))
	if err != nil {
		return err
	}
	if s := limiter.Stats(); s.Failures > 0 || s.AdmittedAlone > 0 {
		return fmt.Errorf("Redis was not asked each time: %+v", s)
	}
	r.figures = append(
		r.figures,
		figure{
			what: "a limit in mode exact", unit: "µs", value: medians[1], baseline: medians[0],
			against: "PING to the same Redis", ratio: ratios[1],
		},
	)
	return nil
}

// created holds the creation of keys in PostgreSQL against a bare INSERT and COMMIT, by one caller and by 32.
func (l *lab) created(ctx context.Context, database *pgtest.Server, _ string, r *result) error {
	url, err := newDatabase(ctx, database, "created")
	if err != nil {
		return err
	}
	d, err := postgres.Open(ctx, url, postgres.Options{})
	if err != nil {
		return err
	}
	k, err := openOn(ctx, d)
	if err != nil {
		return errors.Join(err, d.Close())
	}
	defer k.db.Close()
	ws, err := k.workspace(ctx, "created")
	if err != nil {
		return err
	}
	bare, err := newBare(ctx, url, 32)
	defer bare.close()
	if err != nil {
		return err
	}
	for _, callers := range []int{1, 32} {
		medians, ratios, err := l.rivals(
			func() (float64, error) { return bare.rate(ctx, callers, l.span) },
			func() (float64, error) { return k.creators(ctx, ws, callers, l.span) })
		if err != nil {
			return err
		}
		r.figures = append(
			r.figures,
			figure{what: "keys made in PostgreSQL, callers: " + strconv.Itoa(callers), unit: "keys/s", value: medians[1],
				baseline: medians[0], against: "bare INSERT … COMMIT by as many", ratio: ratios[1]},
		)
	}
	return nil
}

func newDatabase(ctx context.Context, s *pgtest.Server, name string) (url string, err error) {
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0")
	return s.URL(name), err
}

// bareInserts is PostgreSQL without the product: connections that insert a row of about a key's size, each in a
// transaction of its own.
type bareInserts struct{ conns []*pgx.Conn }

func newBare(ctx context.Context, url string, n int) (*bareInserts, error) {
	b := &bareInserts{}
	for range n {
		c, err := pgx.Connect(ctx, url)
		if err != nil {
			return b, err
		}
		b.conns = append(b.conns, c)
	}
	_, err := b.conns[0].Exec(
		ctx, `CREATE TABLE bare (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body TEXT NOT NULL)`,
	)
	return b, err
}

func (b *bareInserts) close() {
	for _, c := range b.conns {
		_ = c.Close(context.Background())
	}
}

func (b *bareInserts) rate(ctx context.Context, callers int, span time.Duration) (float64, error) {
	body := fmt.Sprintf("%0400d", 7)
	var made atomic.Int64
	errs := make([]error, callers)
	var all sync.WaitGroup
	begin := time.Now()
	for i := range callers {
		all.Go(func() {
			for time.Since(begin) < span && errs[i] == nil {
				var tx pgx.Tx
				if tx, errs[i] = b.conns[i].Begin(ctx); errs[i] != nil {
					return
				}
				if _, errs[i] = tx.Exec(ctx, `INSERT INTO bare (body) VALUES ($1)`, body); errs[i] != nil {
					return
				}
				errs[i] = tx.Commit(ctx)
				made.Add(1)
			}
		})
	}
	all.Wait()
	return float64(made.Load()) / time.Since(begin).Seconds(), errors.Join(errs...)
}
