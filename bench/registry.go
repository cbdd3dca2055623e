package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// benches lists all that can be measured, in the order in which it is reported. Each is independent of the others.
func benches() []bench {
	return []bench{
		{"http", "verifications over HTTP, the server on one core and the load on another", overHTTP},
		{"manage", "keys made, listed and rotated over HTTP by 32 callers", manage},
		{"create", "keys made by 32 callers and by one, on the same disk", groupCommit},
		{"inprocess", "a verification without a network, among few keys and among many", inProcess},
		{"timing", "what the time of a refusal tells", timing},
		{"counted", "what it costs that uses are counted", counted},
		{"busy", "verifications while keys are made at full speed", busy},
		{"ready", "a start with many keys, and the memory it takes", ready},
		{"gateway", "checks through a real nginx and over gRPC", gatewayBench},
		{"nodes", "what it costs to be several: leases, exact limits, and keys in PostgreSQL", nodes},
		{"followers", "verifications at followers: in process, over a unix socket, over TCP, and at the server", followers},
		{"revoke", "a revocation, until 1, 10 and 200 followers refuse", revocations},
		{"join", "a follower loads very many keys: time, bytes and memory", joining},
		{"fleet", "what 200 idle followers cost, and all of them started at once", manyFollowers},
		{"pages", "the dashboard's pages in a workspace of very many keys", pages},
		{"tenants", "a quiet tenant beside every operation with its largest input", quietTenants},
		{"removal", "a member with very many keys is removed, beside another tenant", removal},
		{"webhooks", "notices to webhooks: how fast, how late, and what is held back", webhooks},
		{"scale", "pages, look-ups and verifications among few keys and among many", scale},
	}
}

// bench is one measurement. Its function makes all of its figures also in a quick run, of sizes that the lab tells.
type bench struct {
	name string // one word
	what string
	run  func(context.Context, *lab) (result, error)
}

// result is the result of a bench.
type result struct {
	figures []figure
	plots   []plot
}

// figure is a number and its baseline.
type figure struct {
	what     string
	unit     string
	value    float64
	baseline float64 // in the same unit, from the same run; 0 where there is none
	against  string  // what the baseline is
	// of value to baseline; 0 has it computed. See rivals: the median of rounds' ratios is steadier than the ratio of
	// medians
	ratio float64
	must  bound
	aim   bound
}

// bound is the target of a figure: of its ratio, or, without a baseline, of its value. The zero bound asks nothing.
type bound struct {
	least bool
	n     float64
}

func atLeast(n float64) bound { return bound{true, n} }

func atMost(n float64) bound { return bound{false, n} }

func (b bound) held(n float64) bool { return b.n == 0 || b.least && n >= b.n || !b.least && n <= b.n }

func (b bound) String() string {
	switch {
	case b.n == 0:
		return ""
	case b.least:
		return fmt.Sprintf("≥ %.4g", b.n)
	}
	return fmt.Sprintf("≤ %.4g", b.n)
}

// measure is the number that the bounds apply to.
func (f figure) measure() float64 {
	if f.baseline == 0 {
		return f.value
	}
	if f.ratio == 0 {
		return f.value / f.baseline
	}
	return f.ratio
}

// lab holds the tools of a bench.
type lab struct {
	base   string // a folder of this run
	kept   string // a folder of databases of many keys, which later runs use again; "" for none
	log    io.Writer
	quick  bool
	keys   int           // in a large installation
	span   time.Duration // of one rate
	rounds int

	followers  int    // in a large fleet
	operations string // a regular expression

	program func() (string, error) // builds the command once, and gives its path
}

// programIn gives the function that builds the command in a folder when it is first called. Its flags are those of a
// release, whose compiled packages others have made already.
func programIn(dir string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		binary := filepath.Join(dir, "keyward")
		build := exec.Command(
			"go", "build", "-trimpath", "-tags", "grpcnotrace", "-o", binary, "github.com/keyward/keyward/cmd/keyward",
		)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build: %w: %s", err, out)
		}
		return binary, nil
	})
}

func (l *lab) shrink() {
	l.quick, l.keys, l.followers, l.span, l.rounds = true, 2000, 4, 20*time.Millisecond, 2
}

// most is n, or few in a quick run.
func (l *lab) most(n, few int) int {
	if l.quick {
		return min(n, few)
	}
	return n
}

// folder makes an empty one.
func (l *lab) folder(name string) (string, error) {
	dir := filepath.Join(l.base, name)
	return dir, os.Mkdir(dir, 0o700)
}

// rivals measures several things in turns, the first of which is the baseline, and answers the median of each, and the
// median of each one's ratios to the baseline of its own round.
func (l *lab) rivals(one ...func() (float64, error)) (medians, ratios []float64, err error) {
	values, shares := make([][]float64, len(one)), make([][]float64, len(one))
	for range l.rounds {
		for i, f := range one {
			v, err := f()
			if err != nil {
				return nil, nil, err
			}
			values[i] = append(values[i], v)
			shares[i] = append(shares[i], v/values[0][len(values[0])-1])
		}
	}
	for i := range one {
		medians, ratios = append(medians, median(values[i])), append(ratios, median(shares[i]))
	}
	return medians, ratios, nil
}

func median[T float64 | time.Duration](all []T) T {
	s := slices.Sorted(slices.Values(all))
	return s[len(s)/2]
}
