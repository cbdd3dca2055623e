package main

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// restarting is what happens when all followers of one node start at the same instant.
type restarting struct {
	half, last time.Duration // until half of the followers have loaded, and all of them
	refused    float64       // questions that are told to wait, per second while any are
	core       float64       // the part of a core that these take
}

// The rules of a load, as internal/feedhttp and internal/follow have them.
const (
	loadsAtOnce = 2
	placeWait   = 5 * time.Second // a question waits for a place for so long, and is then told to wait
	retryAfter  = time.Second
	retryPause  = 300 * time.Millisecond // and as much again by chance
)

// restart plays it. A load takes so much time of the node's one core, which loads share, and a question that is told to
// wait takes refusal.
func restart(r *rand.Rand, followers int, load, refusal time.Duration) (out restarting) {
	var queue events
	for range followers { // processes do not start quite at once
		queue = append(queue, &event{at: time.Duration(r.Float64() * float64(100*time.Millisecond))})
	}
	heap.Init(&queue)
	var active []time.Duration // the processor time that each load still needs
	var waiting []*event       // in their order; those that have been told to wait meanwhile are passed over
	now, refused, done := time.Duration(0), 0, 0
	advance := func(to time.Duration) {
		for i := range active {
			active[i] -= (to - now) / time.Duration(len(active))
		}
		now = to
	}
	for done < followers {
		if end, first := ends(active, now); first >= 0 && (len(queue) == 0 || end <= queue[0].at) {
			advance(end)
			active = append(active[:first], active[first+1:]...)
			if done++; done == (followers+1)/2 {
				out.half = now
			}
			for len(waiting) > 0 && len(active) < loadsAtOnce {
				if next := waiting[0]; next.waits {
					next.waits, next.loads = false, true
					active = append(active, load)
				}
				waiting = waiting[1:]
			}
			continue
		}
		one, _ := heap.Pop(&queue).(*event)
		advance(max(one.at, now))
		switch {
		case one.loads: // it got a place before its time was over
		case one.waits:
			refused++
			pause := retryAfter + retryPause + time.Duration(r.Float64()*float64(retryPause))
			one.waits, one.at = false, now+pause
			heap.Push(&queue, one)
		case len(active) < loadsAtOnce:
			active = append(active, load)
		default:
			one.waits, one.at = true, now+placeWait
			waiting = append(waiting, one)
			heap.Push(&queue, one)
		}
	}
	out.last = now
	out.refused = float64(refused) / max(now, time.Second).Seconds()
	out.core = out.refused * refusal.Seconds()
	return out
}

// ends finds the load that ends first; -1 where there is none.
func ends(active []time.Duration, now time.Duration) (at time.Duration, first int) {
	first = -1
	for i, left := range active {
		if end := now + left*time.Duration(len(active)); first < 0 || end < at {
			at, first = end, i
		}
	}
	return at, first
}

// event is a follower that asks for a place, or whose wait for one is over.
type event struct {
	at           time.Duration
	waits, loads bool
}

// events is a heap: the earliest is first.
type events []*event

func (h events) Len() int           { return len(h) }
func (h events) Less(i, j int) bool { return h[i].at < h[j].at }
func (h events) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface.
func (h *events) Push(x any) {
	if e, ok := x.(*event); ok {
		*h = append(*h, e)
	}
}

// Pop is heap.Interface.
func (h *events) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
