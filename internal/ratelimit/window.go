package ratelimit

// The limit per minute is held by a log of admissions: a ring of runs, each the number of admissions up to one
// instant. A run counts until 60 seconds after the latest admission in it, so no interval of 60 seconds ever holds
// more than the limit. Up to fine admissions a minute a run is a millisecond, and no legal request is refused; above
// that it is a cell of 100 milliseconds, and the earlier admissions of a cell count up to 100 milliseconds too long.
const (
	minute     = 60_000 // milliseconds
	fine       = 1024   // the highest limit that is kept by the millisecond
	cell       = 100    // milliseconds of a run above that
	inlineRuns = 2
)

// A ring never holds more than 1,646 runs, since at most 1,024 are of the fine kind and 622 cells lie within 60 seconds
// and the two that may lie ahead, where units were lent (Lend).

// run is a number of admissions; the latest was no later than at, in milliseconds of the limiter's own time, modulo
// 2^32.
type run struct{ at, n uint32 }

// window is where the ring of a key begins and how much it holds. The runs themselves lie in a slice that is passed
// along.
type window struct {
	used    uint32 // the sum of all runs
	head, n uint16
}

// since is the time from a run to now. It is right for ages up to 24 days; idle state is swept long before.
func since(at, now uint32) int32 { return int32(now - at) }

// expire drops runs that no longer count.
func (w *window) expire(runs []run, now uint32) {
	for w.n > 0 {
		r := runs[w.head]
		if since(r.at, now) < minute {
			return
		}
		w.used -= r.n
		w.n--
		if w.head++; int(w.head) == len(runs) {
			w.head = 0
		}
	}
}

// at is the place of the i-th run.
func (w *window) at(runs []run, i int) int {
	i += int(w.head)
	if i >= len(runs) {
		i -= len(runs)
	}
	return i
}

// room is how much the window still admits.
func (w *window) room(limit int64) int64 { return max(0, limit-int64(w.used)) }

// width is the longest run under a limit.
func width(limit int64) uint32 {
	if limit > fine {
		return cell
	}
	return 1
}

// joins tells whether an admission belongs to the latest run.
func (w *window) joins(runs []run, stamp uint32, limit int64) bool {
	if w.n == 0 {
		return false
	}
	g := width(limit)
	return runs[w.at(runs, int(w.n)-1)].at/g == stamp/g
}

// full tells whether one more run needs a larger ring.
func (w *window) full(runs []run) bool { return int(w.n) == len(runs) }

// push notes admissions that joined no run; there is room.
func (w *window) push(runs []run, r run) {
	runs[w.at(runs, int(w.n))] = r
	w.n++
	w.used += r.n
}

// join notes admissions that belong to the latest run.
func (w *window) join(runs []run, stamp uint32, n uint32) {
	last := &runs[w.at(runs, int(w.n)-1)]
	last.at = stamp
	last.n += n
	w.used += n
}

// wait is how many milliseconds pass until need fits, -1 where it never does. It costs a step for each run that has to
// go first.
func (w *window) wait(runs []run, now uint32, limit, need int64) int64 {
	if need > limit {
		return -1
	}
	used := int64(w.used)
	for i := 0; i < int(w.n) && used+need > limit; i++ {
		r := runs[w.at(runs, i)]
		if used -= int64(r.n); used+need <= limit {
			return int64(minute - since(r.at, now))
		}
	}
	return 0
}

// drains is how many milliseconds pass until nothing counts any more.
func (w *window) drains(runs []run, now uint32) int64 {
	if w.n == 0 {
		return 0
	}
	return int64(minute - since(runs[w.at(runs, int(w.n)-1)].at, now))
}
