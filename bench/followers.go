//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/verifier"
)

// follow makes the token of a follower.
func (s *site) follow() (token string, err error) {
	return s.post("/api/v2/service-keys", `{"name":"follower","scopes":["follow","verify"]}`, "key")
}

// sidecar starts `keyward follow` at an address, on the processor of the servers.
func (s *site) sidecar(addr, token string) (*process, error) {
	cmd := pinned(0, s.binary, "follow")
	cmd.Env = append(
		os.Environ(), "KEYWARD_ADDR="+addr, "KEYWARD_SOURCE_URL=http://"+s.addr, "KEYWARD_SOURCE_TOKEN="+token,
		"KEYWARD_LOG_FORMAT=json", "KEYWARD_ACCESS_LOG=off",
	)
	return begin(cmd, addr)
}

// startBare starts the bare server at an address, whose answers have so many bytes.
func startBare(addr string, bytes int) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return begin(pinned(0, self, childWord, "bare", addr, strconv.Itoa(bytes)), addr)
}

// followers measures a verification where the traffic is: in process beside a function that computes SHA-256 of the
// key, and at a sidecar, over a unix socket and over TCP, beside a bare HTTP server there. The same question to the
// server itself is the third.
func followers(ctx context.Context, l *lab) (r result, err error) {
	s, err := l.openSite("KEYWARD_ACCESS_LOG=off")
	if err != nil {
		return r, err
	}
	defer s.stop()
	token, err := s.follow()
	if err != nil {
		return r, err
	}
	if err := l.functionCall(ctx, s, token, &r); err != nil {
		return r, err
	}
	return r, l.sidecars(s, token, &r)
}

// functionCall measures a verification in this process.
func (l *lab) functionCall(ctx context.Context, s *site, token string, r *result) error {
	v, err := verifier.New(ctx, verifier.Config{URL: "http://" + s.addr, Token: token})
	if err != nil {
		return err
	}
	defer v.Close()
	plain, err := s.post(
		"/api/v2/api-keys", `{"workspaceId":"`+s.ws+`","userId":"u-1","name":"plain","permissions":["calls:read"]}`, "key",
	)
	if err != nil {
		return err
	}
	each := func(one func() error) func() (float64, error) {
		return func() (float64, error) {
			n, begin := 0, time.Now()
			for ; time.Since(begin) < l.span/2; n += handful {
				for range handful {
					if err := one(); err != nil {
						return 0, err
					}
				}
			}
			return float64(time.Since(begin).Nanoseconds()) / float64(n), nil
		}
	}
	verify := func(key string) func() error {
		request := keyward.VerifyRequest{Key: key, Permissions: keyward.Demand{All: []string{"calls:read"}}}
		return func() error {
			got, err := v.Verify(ctx, request)
			if err == nil && !got.Valid {
				err = errors.New("in process: " + string(got.Code))
			}
			return err
		}
	}
	for range 500 { // the key was made a moment ago
		if err = verify(plain)(); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	digest := func() error {
		sum := sha256.Sum256([]byte(plain))
		runtime.KeepAlive(&sum)
		return nil
	}
	times, ratios, err := l.rivals(each(digest), each(verify(plain)), each(verify(s.live)))
	for i, what := range []string{"", "verify in process", "verify in process, both limits"} {
		if i > 0 && err == nil {
			r.figures = append(r.figures, figure{
				what: what, unit: "ns", value: times[i], baseline: times[0], ratio: ratios[i],
				against: "a function call that computes SHA-256 of the key",
			})
		}
	}
	return err
}

// sidecars measures a verification over HTTP at two sidecars and at the server, each in turns with a bare server.
func (l *lab) sidecars(s *site, token string, r *result) error {
	request := request("POST", "/api/v2/api-keys/verify", token, `{"key":"`+s.live+`","permissions":["calls:read"]}`)
	size, err := s.answerSize(request)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "keyward-bench-") // the path of a socket is short
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	addr, err := freePort()
	if err != nil {
		return err
	}
	bareAddr, err := freePort()
	if err != nil {
		return err
	}
	var doors []door
	add := func(p *process, err error, want string) error {
		doors = append(doors, door{p, addressOf(p), want})
		return err
	}
	socket := socketWord + filepath.Join(dir, "k")
	for _, one := range []struct {
		addr string
		bare bool
	}{{bareAddr, true}, {socketWord + filepath.Join(dir, "b"), true}, {addr, false}, {socket, false}} {
		var p *process
		want := `"code":"VALID"`
		if one.bare {
			want = "x"
			p, err = startBare(one.addr, size)
		} else {
			p, err = s.sidecar(one.addr, token)
		}
		if err := add(p, err, want); err != nil {
			return err
		}
		defer p.stop()
	}
	doors = append(doors, door{s.process, s.addr, `"code":"VALID"`})
	return l.atDoors(doors, request, r)
}

func addressOf(p *process) string {
	if p == nil {
		return ""
	}
	return p.addr
}

// atDoors measures the rate with many connections and the time of a question with one, at all doors in turns. The first
// two are the baselines, over TCP and over a unix socket.
func (l *lab) atDoors(doors []door, request string, r *result) error {
	names := []string{"", "", "sidecar over TCP", "sidecar over a unix socket", "the server over TCP"}
	against := []string{"bare HTTP over TCP", "bare HTTP over a unix socket"}
	base := []int{0, 1, 0, 1, 0}
	for _, kind := range []struct {
		what, unit string
		lines      int
		of         func(load) float64
	}{
		{"verify, 32 connections, ", "requests/s", conns, func(f load) float64 { return f.Rate }},
		{"verify, one connection, median, ", "µs", 1, func(f load) float64 { return f.P50 }},
		{"verify, one connection, p99, ", "µs", 1, func(f load) float64 { return f.P99 }},
	} {
		all := make([]func() (float64, error), len(doors))
		for i, d := range doors {
			all[i] = func() (float64, error) {
				found, err := l.fire(d.addr, request, d.want, kind.lines)
				return kind.of(found), err
			}
		}
		values, ratios, err := l.rivals(all...)
		if err != nil {
			return err
		}
		for i := 2; i < len(doors); i++ {
			r.figures = append(r.figures, figure{
				what: kind.what + names[i], unit: kind.unit, value: values[i], baseline: values[base[i]],
				against: against[base[i]], ratio: ratios[i] / ratios[base[i]],
			})
		}
	}
	return nil
}

// openFleet starts a process for followers of a site, on the processor of the clients.
func (l *lab) openFleet(s *site) (*helper, error) {
	token, err := s.follow()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startHelper(pinned(1, self, childWord, "fleet"), l.log, fleetOrder{"http://" + s.addr, token, s.root, s.ws})
}

// revocations measures how long it takes until followers refuse a key that is taken back.
func revocations(_ context.Context, l *lab) (r result, err error) {
	s, err := l.openSite("KEYWARD_ACCESS_LOG=off")
	if err != nil {
		return r, err
	}
	defer s.stop()
	for _, n := range []int{1, l.most(10, 2), l.most(l.followers, 3)} {
		f, err := l.openFleet(s)
		if err != nil {
			return r, err
		}
		var found revoked
		err = errors.Join(
			f.tell(fleetCommand{Do: "start", N: n}, nil),
			f.tell(fleetCommand{Do: "revoke", N: l.most(100, 3)}, &found),
			f.tell(fleetCommand{Do: "stop"}, nil),
		)
		f.end()
		if err != nil {
			return r, err
		}
		what := fmt.Sprintf("a revocation until a follower refuses, %d followers, ", n)
		for _, one := range []struct {
			what  string
			value float64
		}{{"median", found.P50}, {"p99", found.P99}} {
			r.figures = append(r.figures, figure{
				what: what + one.what, unit: "µs", value: one.value, baseline: found.Answer,
				against: "the answer to the revocation",
			})
		}
	}
	return r, nil
}

// joining measures how long a follower takes to load everything, the bytes on the wire, and the memory of both.
func joining(ctx context.Context, l *lab) (r result, err error) {
	n := l.most(l.keys, 500)
	dir, err := l.rows(ctx, "feed", n)
	if err != nil {
		return r, err
	}
	s, err := l.openSite(
		"KEYWARD_ACCESS_LOG=off", "KEYWARD_MAX_STALENESS=30s",
		"KEYWARD_DATABASE_URL=sqlite:"+filepath.Join(dir, "bench.db"),
	)
	if err != nil {
		return r, err
	}
	defer s.stop()
	few, err := l.openSite("KEYWARD_ACCESS_LOG=off")
	if err != nil {
		return r, err
	}
	defer few.stop()
	var seconds, byGzip, wire, cpu, server, memory []float64
	for range min(l.rounds, 3) {
		base, _, baseMemory, err := l.join(few, false)
		if err != nil {
			return r, err
		}
		packed, _, _, err := l.join(s, true)
		if err != nil {
			return r, err
		}
		byGzip = append(byGzip, packed.Seconds)
		full, spent, resident, err := l.join(s, false)
		if err != nil {
			return r, err
		}
		if full.Keys < n {
			return r, fmt.Errorf("a follower has %d of %d keys", full.Keys, n)
		}
		seconds, cpu, server = append(seconds, full.Seconds), append(cpu, full.CPU), append(server, spent)
		wire = append(wire, perKey(full.Wire-base.Wire, n))
		memory = append(memory, perKey(resident-baseMemory, n))
	}
	keys := thousands(strconv.Itoa(n)) + " keys"
	million := float64(n) / 1e6
	goal := 2.0 // seconds for a million
	r.figures = []figure{
		{what: "a follower loads " + keys, unit: "s", value: median(seconds), aim: atMost(goal * max(million, 1))},
		{what: "its processor time", unit: "s", value: max(median(cpu), 0.001)},
		{what: "SHA-256 of a key in this run", unit: "ns", value: sumTime()},
		{what: "one that reads gzip alone loads them", unit: "s", value: median(byGzip)},
		{what: "the server's processor time", unit: "s", value: max(median(server), 0.001)},
		{what: "bytes on the wire per key, compressed", unit: "B", value: median(wire), aim: atMost(110)},
		{what: "resident memory of a follower per key", unit: "B", value: median(memory), aim: atMost(200)},
	}
	return r, nil
}

// join starts one follower in a process of its own, and ends it.
func (l *lab) join(s *site, gzip bool) (found joined, server, resident float64, err error) {
	f, err := l.openFleet(s)
	if err != nil {
		return found, 0, 0, err
	}
	defer f.end()
	before, err := s.cpu()
	if err != nil {
		return found, 0, 0, err
	}
	if err = f.tell(fleetCommand{Do: "start", N: 1, Gzip: gzip}, &found); err != nil {
		return found, 0, 0, err
	}
	after, err := s.cpu()
	if err != nil {
		return found, 0, 0, err
	}
	err = errors.Join(f.tell(fleetCommand{Do: "resident"}, &resident), f.tell(fleetCommand{Do: "stop"}, nil))
	return found, after - before, resident, err
}

// sumTime is the time that SHA-256 takes of a key, in nanoseconds: it says how fast the machine is in this run.
func sumTime() float64 { return (&asker{}).digest(100 * time.Millisecond) }

// manyFollowers measures what very many idle followers cost the server, and what happens when all of them restart at
// once.
func manyFollowers(ctx context.Context, l *lab) (r result, err error) {
	keysOfEach := min(l.keys, 10_000) // a copy for each follower
	n := l.most(l.followers, 4)
	dir, err := l.rows(ctx, "fleet", l.most(keysOfEach, 100))
	if err != nil {
		return r, err
	}
	s, err := l.openSite("KEYWARD_ACCESS_LOG=off", "KEYWARD_DATABASE_URL=sqlite:"+filepath.Join(dir, "bench.db"))
	if err != nil {
		return r, err
	}
	defer s.stop()
	alone, err := l.idle(s)
	if err != nil {
		return r, err
	}
	f, err := l.openFleet(s)
	if err != nil {
		return r, err
	}
	defer f.end()
	if err := f.tell(fleetCommand{Do: "start", N: n}, nil); err != nil {
		return r, err
	}
	with, err := l.idle(s)
	if err != nil {
		return r, err
	}
	r.figures = append(r.figures, figure{
		what: fmt.Sprintf("processor time of a server with %d idle followers", n), unit: "% of a core",
		value: max(with, 0.01), baseline: max(alone, 0.01), against: "without followers",
	}, figure{
		what: "of it for the followers", unit: "% of a core", value: max(with-alone, 0.01), aim: atMost(5),
	})
	return r, l.restartAll(s, f, n, &r)
}

// idle is the part of a processor that a server takes while no request but those of its followers arrives, in percent.
func (l *lab) idle(s *site) (float64, error) {
	span := 5 * l.span
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	time.Sleep(span)
	after, err := s.cpu()
	return 100 * (after - before) / span.Seconds(), err
}

// restartAll ends all followers and starts them again at once, while the server is asked to verify, and whether it is
// ready.
func (l *lab) restartAll(s *site, f *helper, n int, r *result) error {
	asked := func() (load, error) { return l.fire(s.addr, s.verification(), `"code":"VALID"`, 1) }
	quiet, err := asked()
	if err != nil {
		return err
	}
	if err := f.tell(fleetCommand{Do: "stop"}, nil); err != nil {
		return err
	}
	before, err := s.cpu()
	if err != nil {
		return err
	}
	var found joined
	started := make(chan error, 1)
	go func() { started <- f.tell(fleetCommand{Do: "start", N: n}, &found) }()
	ready := watchReady(s.addr)
	var beside []float64
	for starting := true; starting; {
		one, err := asked()
		if err != nil {
			return errors.Join(err, <-started)
		}
		beside = append(beside, one.P99)
		time.Sleep(3 * l.span) // the load takes a processor that the followers need
		select {
		case err := <-started:
			if err != nil {
				return err
			}
			starting = false
		default:
		}
	}
	times, refused := ready()
	after, err := s.cpu()
	if err != nil {
		return err
	}
	r.figures = append(r.figures,
		figure{what: fmt.Sprintf("%d followers start at once, of %d keys each, until the last is ready", n, found.Keys),
			unit: "s", value: found.Seconds},
		figure{what: "the server's processor time for that", unit: "s", value: max(after-before, 0.001)},
		figure{what: "p99 of a verification at the server meanwhile, in its worst span", unit: "µs",
			value: slices.Max(beside), baseline: quiet.P99, against: "while the followers are idle"},
		figure{what: "the longest answer of /readyz meanwhile", unit: "ms", value: slices.Max(times)},
		figure{what: "answers of /readyz that are 200", unit: "%",
			value: 100 * float64(len(times)-refused) / float64(len(times))})
	return f.tell(fleetCommand{Do: "stop"}, nil)
}

// watchReady asks /readyz every 20 ms until the function that it returns is called: that gives the time of each answer
// in milliseconds, and how many said that the server is not ready, or did not come.
func watchReady(addr string) func() (times []float64, refused int) {
	stop, done := make(chan struct{}), make(chan struct{})
	var times []float64
	refused := 0
	go func() {
		defer close(done)
		for {
			began := time.Now()
			resp, err := http.Get("http://" + addr + "/readyz")
			if err == nil {
				_ = resp.Body.Close()
			}
			times = append(times, micros(time.Since(began))/1000)
			if err != nil || resp.StatusCode != http.StatusOK {
				refused++
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() ([]float64, int) {
		close(stop)
		<-done
		return times, refused
	}
}
