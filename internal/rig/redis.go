// Package rig owns the real servers that tests run against: it starts them on free ports with data of their own, and
// stops them. It does not own the tests. A missing program fails the test.
package rig

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// Redis is one real server, without persistence.
type Redis struct {
	Addr string
	Port int

	t       testing.TB
	dir     string
	args    []string
	clock   []string // what makes its clock another one
	process *Process
}

// StartRedis starts a server that ends with the test. More arguments are options of redis-server.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	r := newRedis(t, FreePort(t), args)
	r.Start()
	return r
}

// StartFastRedis starts a server whose clock runs speed times as fast, so that a test need not wait for minutes.
func StartFastRedis(t testing.TB, speed int, args ...string) *Redis {
	t.Helper()
	r := newRedis(t, FreePort(t), args)
	r.clock = FastClock(t, speed)
	r.Start()
	return r
}

// StartRedisBy starts a server that goes by a clock that the test sets.
func StartRedisBy(t testing.TB, clock *HandClock, args ...string) *Redis {
	t.Helper()
	r := newRedis(t, FreePort(t), args)
	r.clock = clock.env
	r.Start()
	return r
}

func newRedis(t testing.TB, port int, args []string) *Redis {
	return &Redis{t: t, Port: port, Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), dir: t.TempDir(), args: args}
}

// Start starts it again after Kill, empty, at the same address.
func (r *Redis) Start() {
	r.t.Helper()
	base := []string{
		"--port", strconv.Itoa(r.Port), "--bind", "127.0.0.1", "--dir", r.dir, "--save", "", "--appendonly", "no",
		"--daemonize", "no", "--enable-debug-command", "local",
	}
	cmd := exec.Command("redis-server", append(base, r.args...)...)
	cmd.Env = append(os.Environ(), r.clock...)
	r.process = StartProcess(r.t, cmd, filepath.Join(r.dir, "redis.log"))
	WaitFor(r.t, "redis-server at "+r.Addr, func() error { return r.ping() })
}

// Process gives access to signals: to stop, freeze and go on.
func (r *Redis) Process() *Process { return r.process }

// CLI runs one command with redis-cli and returns its output.
func (r *Redis) CLI(args ...string) string {
	r.t.Helper()
	out, err := r.ask(args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *Redis) ask(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(
		ctx, "redis-cli", append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(r.Port)}, args...)...,
	).
		CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("redis-cli %v: %w: %s", args, err, out)
	}
	return string(out), nil
}

func (r *Redis) ping() error {
	c, err := net.DialTimeout("tcp", r.Addr, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	b := make([]byte, 7)
	if _, err := c.Read(b); err != nil {
		return err
	}
	if string(b[:5]) != "+PONG" {
		return fmt.Errorf("it answered %q", b)
	}
	return nil
}

// StartRedisCluster starts n primaries that share the slots between them, with clocks that run speed times as fast.
func StartRedisCluster(t testing.TB, n, speed int) []*Redis {
	t.Helper()
	return startCluster(t, slices.Repeat([][]string{FastClock(t, speed)}, n))
}

// StartRedisClusterBy starts a primary for each clock. The clocks go from an instant on until the cluster works, and
// stand at the instant that is answered.
func StartRedisClusterBy(t testing.TB, from time.Time, clocks ...*HandClock) ([]*Redis, time.Time) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan time.Time)
	go func() {
		at := from
		for {
			select {
			case <-stop:
				stopped <- at
				return
			case <-time.After(10 * time.Millisecond):
				at = at.Add(10 * time.Millisecond)
				for _, c := range clocks {
					c.Set(at)
				}
			}
		}
	}()
	var env [][]string
	for _, c := range clocks {
		env = append(env, c.env)
	}
	all := startCluster(t, env)
	close(stop)
	return all, <-stopped
}

// startCluster starts a primary for each clock.
func startCluster(t testing.TB, clocks [][]string) []*Redis {
	t.Helper()
	var all []*Redis
	args := []string{"-h", "127.0.0.1", "--cluster", "create"}
	for _, clock := range clocks {
		r := newRedis(t, clusterPort(t), []string{"--cluster-enabled", "yes", "--cluster-node-timeout", "600000"})
		r.clock = clock
		r.Start()
		all = append(all, r)
		args = append(args, r.Addr)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "redis-cli", append(args[2:], "--cluster-yes")...).CombinedOutput()
	if err != nil {
		t.Fatalf("make a cluster: %v: %s", err, out)
	}
	for _, r := range all {
		WaitFor(t, "the cluster at "+r.Addr, func() error {
			if state := r.CLI("cluster", "info"); !contains(state, "cluster_state:ok") {
				return fmt.Errorf("%s", state)
			}
			return nil
		})
	}
	return all
}

// clusterPort leaves room for the bus, whose port is 10000 higher.
func clusterPort(t testing.TB) int {
	for range 100 {
		if p := FreePort(t); p < 55000 {
			return p
		}
	}
	t.Fatal("no free port below 55000")
	return 0
}
