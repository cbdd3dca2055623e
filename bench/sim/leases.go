package main

import (
	"math"
	"math/rand/v2"
	"time"
)

// leasing is the load that sharing limits puts on Redis.
type leasing struct {
	perSecond       float64 // questions
	perVerification float64
	refused         float64 // of the verifications: refused though the minute of the whole installation had room
}

// The rules of mode leased, as internal/ratelimit/redislimit has them.
const (
	leaseTime = 2 * time.Second
	window    = 61 * time.Second
)

// leases plays two minutes of one key after another, each with a rate of its own: a few keys make most of the calls.
// Each key's limit is a quarter above its need, so that the refusals are the price of sharing.
func leases(r *rand.Rand, nodes int, rate float64, keys int, skew float64) (out leasing) {
	const span = 130 * time.Second
	total := rate * float64(nodes)
	weights := 0.0
	for k := range keys {
		weights += math.Pow(float64(k+1), -skew)
	}
	// The keys with the most calls are played one by one; of the rest each step-th stands for its neighbours, and steps
	// grow.
	var calls, questions, refused float64
	for k, step := 0, 1.0; k < keys; k += int(step) {
		step = math.Max(1, float64(k)/20)
		per := total / weights * math.Pow(float64(k+1)+step/2, -skew) // calls per second on this key
		s := play(
			r, nodes, per, int64(math.Ceil(per*60*1.25))+1,
			min(span, time.Duration(float64(span)*math.Min(1, 20000/(per*span.Seconds())+0.5))),
		)
		calls += per * step
		questions += s.questions * step
		refused += per * s.refused * step
	}
	return leasing{perSecond: questions, perVerification: questions / calls, refused: refused / calls}
}

type played struct{ questions, refused float64 } // per second; share of the calls

type leaf struct {
	left, taken, size int64
	until, granted    time.Duration
	charge            int // which of the charges it is
}

type charged struct {
	until time.Duration
	units int64
}

// play is one key: calls at random instants at random nodes.
func play(r *rand.Rand, nodes int, per float64, limit int64, span time.Duration) (out played) {
	states := make(map[int]*leaf, nodes)
	var charges []charged
	first, used := 0, int64(0)
	calls, questions, refused := 0, 0, 0
	for t := time.Duration(0); t < span; {
		t += time.Duration(r.ExpFloat64() / per * float64(time.Second))
		calls++
		n := r.IntN(nodes)
		s := states[n]
		if s == nil {
			s = &leaf{size: 1, charge: -1}
			states[n] = s
		}
		if s.left > 0 && t < s.until {
			s.left--
			continue
		}
		questions++
		if s.charge >= first && s.left > 0 { // what is left is given back
			charges[s.charge].units -= s.left
			used -= s.left
		}
		for first < len(charges) && charges[first].until <= t {
			used -= charges[first].units
			first++
		}
		switch {
		case s.left == 0 && t-s.granted < leaseTime/2 && s.taken > 0:
			s.size *= 2
		case s.left > s.taken/2:
			s.size = (s.size + 1) / 2
		}
		s.size = max(min(s.size, limit/int64(4*nodes)), 1)
		s.left = 0
		if used+1 > limit {
			refused++
			continue
		}
		s.taken = min(s.size, limit-used)
		s.left, s.granted, s.until = s.taken-1, t, t+leaseTime
		used += s.taken
		charges = append(charges, charged{until: t + leaseTime + window, units: s.taken})
		s.charge = len(charges) - 1
	}
	return played{questions: float64(questions) / span.Seconds(), refused: float64(refused) / float64(max(calls, 1))}
}
