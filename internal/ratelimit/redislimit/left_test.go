package redislimit_test

import (
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
)

// What a node says is left of a limit that another node has spent from is never more than there is: in mode exact it is
// the very number, in mode leased what the other node still holds counts as used.
func TestANodeSaysWhatAnotherHasLeft(t *testing.T) {
	t.Parallel()
	const limit, spent = 100, 30
	for mode, least := range map[redislimit.Mode]int64{redislimit.Exact: limit - spent,
		redislimit.Leased: limit - spent - limit/4} {
		in := install(t, 2, func(o *redislimit.Options) { o.Mode = mode })
		for key := byte(1); ; key++ {
			who, of := ratelimit.Subject{ID: [16]byte{key, 15: key}}, ratelimit.PerMinute{Key: limit}
			begun := in.now()
			for range spent / 2 {
				in.takeOf(0, who, of, 2)
			}
			var left [3]int64
			for i := range left {
				var s ratelimit.Status
				in.nodes[1].Peek(who, of, 0, &s)
				left[i] = s.Minute.Remaining
			}
			if in.now().Sub(begun) > 50*time.Second {
				continue // the machine was too slow: what was spent may count no more
			}
			if left[0] < least || left[0] > limit-spent {
				t.Errorf("%s: %d are left, want %d to %d", mode, left[0], least, limit-spent)
			}
			if mode == redislimit.Exact && left != [3]int64{left[0], left[0], left[0]} {
				t.Errorf("%s: looking changes what is left: %v", mode, left)
			}
			break
		}
	}
}
