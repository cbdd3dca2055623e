// Command sim answers questions that cannot be measured on one machine: the load of 10, 100 and 1,000 nodes on one
// database and one Redis, the time until a revocation reaches the last of them, and what happens when 1,000 followers
// of one node restart at once. It simulates the rules of the
// product, event by event, with a seed; the costs of one poll and one question are arguments, to be taken from `make
// bench` and the real machines.
package main

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// costs are the costs of one poll and one question for the one core that serves them.
type costs struct{ poll, question time.Duration }

func main() {
	seed := flag.Uint64("seed", 1, "repeats a run")
	rate := flag.Float64("rate", 2000, "verifications per second and node")
	skew := flag.Float64("skew", 1, "how unequal the keys are: the k-th has 1/k^skew of the calls of the first (Zipf)")
	keys := flag.Int("keys", 20000, "keys with a limit per minute that are in use")
	changes := flag.Float64("changes", 20, "changes per second in the whole installation")
	lost := flag.Float64("lost", 0.01, "the share of doorbells that are not heard")
	poll := flag.Duration("poll", 120*time.Microsecond, "what one poll costs the database")
	question := flag.Duration("question", 12*time.Microsecond, "what one question costs Redis")
	load := flag.Duration("load", 20*time.Millisecond, "what a follower that loads everything costs its node")
	refusal := flag.Duration("refusal", 60*time.Microsecond, "what it costs a node to tell a follower to wait")
	flag.Parse()

	fmt.Printf(
		"%g verifications/s and node, %d limited keys in use (skew %g), %g changes/s, %g of doorbells lost, seed %d\n\n",
		*rate, *keys, *skew, *changes, *lost, *seed,
	)
	fmt.Println(
		"| nodes | polls/s | of one database core | questions/s | of one Redis core | questions per 1,000 verifications | refused with room left | last node knows: p50 | p99 | worst |",
	)
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, nodes := range []int{3, 10, 100, 1000} {
		r := rand.New(rand.NewPCG(*seed, uint64(nodes)))
		p := polls(r, nodes, *changes, *lost)
		l := leases(r, nodes, *rate, *keys, *skew)
		c := costs{*poll, *question}
		fmt.Printf(
			"| %d | %.0f | %s | %.0f | %s | %.1f | %.2f %% | %s | %s | %s |\n", nodes, p.perSecond, share(p.perSecond, c.poll),
			l.perSecond, share(l.perSecond, c.question), 1000*l.perVerification, 100*l.refused, at(p.last, 0.5),
			at(p.last, 0.99), at(p.last, 1),
		)
	}
	printRestarts(*seed, *load, *refusal)
}

// printRestarts plays restarts of all followers of one node.
func printRestarts(seed uint64, load, refusal time.Duration) {
	fmt.Printf("\nAll followers of one node start at once; a load takes %s of its core, and a question that is told to wait %s.\n\n",
		load, refusal)
	fmt.Println("| followers | half of them have loaded | all of them | told to wait per second | of the node's core |")
	fmt.Println("|---|---|---|---|---|")
	for _, followers := range []int{10, 40, 200, 1000} {
		s := restart(rand.New(rand.NewPCG(seed, uint64(followers))), followers, load, refusal)
		fmt.Printf("| %d | %s | %s | %.0f | %.1f %% |\n", followers, s.half.Round(10*time.Millisecond),
			s.last.Round(10*time.Millisecond), s.refused, 100*s.core)
	}
}

func share(perSecond float64, cost time.Duration) string {
	return fmt.Sprintf("%.0f %%", 100*perSecond*cost.Seconds())
}

func at(sorted []time.Duration, p float64) string {
	i := int(math.Ceil(p*float64(len(sorted)))) - 1
	return sorted[max(i, 0)].Round(time.Millisecond).String()
}

// polling is how nodes follow the log of changes.
type polling struct {
	perSecond float64
	last      []time.Duration // for each change: from its commit until the last node has applied it, sorted
}

// interval is how often a node polls without a doorbell.
const interval = 500 * time.Millisecond

// polls lets changes happen at random instants. A node polls after its interval, and when it hears a doorbell; one that
// polls when a doorbell rings polls once more, so rings close together cost one.
func polls(r *rand.Rand, nodes int, changes, lost float64) polling {
	const span = 60 * time.Second
	var out polling
	var commits []time.Duration
	for t := time.Duration(0); t < span; {
		t += time.Duration(r.ExpFloat64() / changes * float64(time.Second))
		commits = append(commits, t)
	}
	worst := make([]time.Duration, len(commits))
	total := 0
	for range nodes {
		next := time.Duration(r.Float64() * float64(interval))
		took := func() time.Duration { return time.Duration((1 + r.ExpFloat64()) * float64(time.Millisecond)) }
		from := 0
		read := func(start time.Duration) time.Duration {
			total++
			end := start + took()
			for from < len(commits) && commits[from] <= start {
				worst[from] = max(worst[from], end-commits[from])
				from++
			}
			next = end + interval
			return end
		}
		free := time.Duration(0)
		for i := 0; i < len(commits); i++ {
			for next < commits[i] {
				free = read(next)
			}
			if r.Float64() >= lost && from <= i {
				heard := commits[i] + took()
				free = read(max(heard, free))
			}
		}
		for from < len(commits) {
			read(next)
		}
	}
	slices.Sort(worst)
	out.last = worst
	out.perSecond = float64(total) / span.Seconds()
	return out
}
