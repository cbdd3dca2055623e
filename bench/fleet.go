//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/packing"
	"github.com/keyward/keyward/verifier"
)

// fleetOrder holds the instructions for a process with followers in it.
type fleetOrder struct{ URL, Token, Root, Workspace string }

// fleetCommand is a line to that process.
type fleetCommand struct {
	Do   string // start, revoke, stop, resident
	N    int    // followers, or revocations
	Gzip bool   // the followers read no zstd, as package verifier by itself
}

// joined is the result of a start.
type joined struct {
	Seconds float64 // until the last follower was ready
	Wire    float64 // bytes that all of them have read
	CPU     float64 // seconds of a processor
	Keys    int     // of one follower
}

// revoked is the result of revocations, in microseconds from the beginning of the call.
type revoked struct{ Answer, P50, P99 float64 }

func init() { children["fleet"] = fleetChild }

func fleetChild([]string) error {
	words := json.NewDecoder(os.Stdin)
	f := &fleet{}
	if err := words.Decode(&f.fleetOrder); err != nil {
		return err
	}
	client, err := keyward.New(f.URL, keyward.WithToken(f.Root))
	if err != nil {
		return err
	}
	f.client = client
	return obey(words, func(c fleetCommand) (any, error) {
		switch c.Do {
		case "start":
			return f.start(c.N, c.Gzip)
		case "revoke":
			return f.revoke(c.N)
		case "stop":
			return nil, f.stop()
		case "resident":
			debug.FreeOSMemory()
			return residentBytes()
		}
		return nil, fmt.Errorf("no such command: %q", c.Do)
	})
}

// fleet is many followers in one process. Each has a connection of its own.
type fleet struct {
	fleetOrder
	client *keyward.Client
	all    []*verifier.Verifier
	wire   atomic.Int64 // bytes read
}

// countedConn is a connection whose bytes are counted as they come in.
type countedConn struct {
	net.Conn
	read *atomic.Int64
}

func (c countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

func (f *fleet) connection() *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := d.DialContext(ctx, network, addr)
			return countedConn{c, &f.wire}, err
		},
	}}
}

// start starts so many followers at once, and waits for the last of them.
func (f *fleet) start(n int, gzip bool) (found joined, err error) {
	unzstd := packing.Unzstd
	if gzip {
		unzstd = nil
	}
	f.all = make([]*verifier.Verifier, n)
	f.wire.Store(0)
	errs := make([]error, n)
	cpu, began := spentSeconds(), time.Now()
	var starting sync.WaitGroup
	for i := range n {
		starting.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
			defer cancel()
			f.all[i], errs[i] = verifier.New(ctx, verifier.Config{
				URL: f.URL, Token: f.Token, Name: fmt.Sprint("bench ", i), HTTPClient: f.connection(),
				Unzstd: unzstd,
			})
		})
	}
	starting.Wait()
	found = joined{Seconds: time.Since(began).Seconds(), Wire: float64(f.wire.Load()), CPU: spentSeconds() - cpu}
	if err := errors.Join(errs...); err != nil {
		return found, err
	}
	found.Keys = f.all[0].Stats().Keys
	return found, nil
}

// spentSeconds is the processor time that this process has taken.
func spentSeconds() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

func (f *fleet) stop() error {
	errs := make([]error, len(f.all))
	var stopping sync.WaitGroup
	for i, v := range f.all {
		stopping.Go(func() { errs[i] = v.Close() })
	}
	stopping.Wait()
	f.all = nil
	return errors.Join(errs...)
}

// says waits until every follower gives a verdict, and gives the time of each. Asking all of them takes a tenth of the
// processor at most, because the followers need it, too: with 200 of them a time is late by up to a few milliseconds.
func (f *fleet) says(ctx context.Context, key string, want keyward.VerdictCode) (at []time.Time, err error) {
	waiting := slices.Clone(f.all)
	pause := time.Duration(0)
	for end := time.Now().Add(30 * time.Second); len(waiting) > 0; time.Sleep(pause) {
		began := time.Now()
		waiting = slices.DeleteFunc(waiting, func(v *verifier.Verifier) bool {
			got, err := v.Verify(ctx, keyward.VerifyRequest{Key: key})
			if err != nil || got.Code != want {
				return false
			}
			at = append(at, time.Now())
			return true
		})
		pause = max(100*time.Microsecond, min(9*time.Since(began), 5*time.Millisecond))
		if time.Now().After(end) {
			return nil, fmt.Errorf("%d followers do not say %s", len(waiting), want)
		}
	}
	return at, nil
}

// revoke takes keys back one after the other, and measures when each follower refuses.
func (f *fleet) revoke(times int) (found revoked, err error) {
	ctx := context.Background()
	var answers, all []float64
	for range times {
		k, err := f.client.CreateKey(ctx, keyward.CreateKeyRequest{WorkspaceID: f.Workspace, UserID: "u-1", Name: "bench"})
		if err != nil {
			return found, err
		}
		if _, err := f.says(ctx, k.Key.Reveal(), keyward.VerdictValid); err != nil {
			return found, err
		}
		time.Sleep(5 * time.Millisecond) // every follower has its question under way again
		answered := make(chan error, 1)
		began := time.Now()
		go func() {
			_, err := f.client.UpdateKeys(ctx, []keyward.KeyUpdate{{ID: k.APIKey.ID, IsActive: keyward.Set(false)}})
			answers = append(answers, micros(time.Since(began)))
			answered <- err
		}()
		at, err := f.says(ctx, k.Key.Reveal(), keyward.VerdictDisabled)
		if err := errors.Join(err, <-answered); err != nil {
			return found, err
		}
		for _, t := range at {
			all = append(all, micros(t.Sub(began)))
		}
	}
	slices.Sort(all)
	return revoked{median(answers), all[len(all)/2], all[len(all)*99/100]}, nil
}
