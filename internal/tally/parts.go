package tally

import "github.com/keyward/keyward/internal/perm"

// parts cuts notes into parts that have a transaction each: of at most batchSize notes, and of at most batchNamed in
// weight unless a single note weighs more.
func parts[K comparable, V any](notes map[K]V, weight func(K) int) (all []map[K]V) {
	sum := 0
	for k, v := range notes {
		n := len(all)
		w := weight(k)
		if n == 0 || len(all[n-1]) == batchSize || sum+w > batchNamed {
			all = append(all, make(map[K]V))
			n++
			sum = 0
		}
		all[n-1][k] = v
		sum += w
	}
	return all
}

// weightOf is how many rows a demand may change.
func weightOf(d perm.Set) int { return 1 + d.Len() }

func weightOfSpilled(at spilled) int { return weightOf(at.demand.All.Or(at.demand.Any)) }

// takeLight takes a batch of the buffer that is within the bounds of a transaction, and returns its size.
func (t *Tally) takeLight() int {
	n := t.sheet.Take(t.batch)
	sum := 0
	for i := range n {
		sum += weightOf(t.demands.asked(t.batch[i].Demand))
		if i > 0 && sum > batchNamed {
			return t.sheet.Take(t.batch[:i]) // the same entries again, without the rest
		}
	}
	return n
}
