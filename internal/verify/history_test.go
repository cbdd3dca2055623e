package verify_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/verify"
)

// Events of a key in a history; each key has a workspace and a creator of its own.
type deed string

const (
	asks     deed = "verify"
	creates  deed = "create"
	disables deed = "disable"
	enables  deed = "enable"
	rotates  deed = "rotate"
	deletes  deed = "delete"
	closes   deed = "disable the workspace"
	opens    deed = "enable the workspace"
	removes  deed = "remove the creator"
	invites  deed = "invite the creator"
)

// step is the input of an operation; its output is the code that a verification gave.
type step struct {
	subject int
	deed    deed
	value   int // which of the key's values is asked about
}

// truth is the key as it is by law: a plain value that a sequence of steps goes through.
type truth struct {
	created, deleted, disabled, closed, removed bool
	value                                       int
}

func (s truth) after(d deed) truth {
	switch d {
	case creates:
		s.created = true
	case disables, enables:
		s.disabled = d == disables
	case closes, opens:
		s.closed = d == closes
	case removes, invites:
		s.removed = d == removes
	case rotates:
		s.value++
	case deletes:
		s.deleted = true
	}
	return s
}

func (s truth) verdict(value int) verify.Code {
	switch {
	case !s.created || s.deleted || value != s.value:
		return verify.NotFound
	case s.disabled || s.closed || s.removed:
		return verify.Disabled
	}
	return verify.Valid
}

var law = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, subjects)
		for _, op := range history {
			n := op.Input.(step).subject
			parts[n] = append(parts[n], op)
		}
		return parts
	},
	Init: func() any { return truth{} },
	Step: func(state, input, output any) (bool, any) {
		s, in := state.(truth), input.(step)
		if in.deed == asks {
			return s.verdict(in.value) == output.(verify.Code), s
		}
		return true, s.after(in.deed)
	},
}

const (
	subjects = 6
	clients  = 8
	steps    = 600 // of each client
	values   = 64  // minted for each key; rotations beyond are not made
)

// world does the deeds, one at a time as a store would, and answers only when the replica has them.
type world struct {
	*bench
	mu     sync.Mutex
	truths [subjects]truth
	values [subjects][values]keyfmt.Secret
	hints  [subjects]atomic.Int64 // the current value, for questions that are worth asking
}

func newWorld(t *testing.T) *world {
	w := &world{bench: newBench(t)}
	for n := range subjects {
		for i := range values {
			w.values[n][i] = w.mint(keyfmt.Live)
		}
		w.apply(w.place(n, truth{}), w.person(n, truth{}))
	}
	return w
}

func (w *world) place(n int, s truth) feed.Change {
	return feed.Change{Workspace: &account.Workspace{ID: id.Workspace(fmt.Sprint("w", n)), IsActive: !s.closed}}
}

func (w *world) person(n int, s truth) feed.Change {
	name := feed.MemberID{Workspace: id.Workspace(fmt.Sprint("w", n)), User: "ann"}
	if s.removed {
		return feed.Change{MemberGone: &name}
	}
	return feed.Change{Member: &account.Member{Workspace: name.Workspace, User: name.User, Role: "r"}}
}

func (w *world) key(n int, s truth) feed.Change {
	name := id.Key(fmt.Sprintf("00000000-0000-7000-8000-%012x", n))
	if s.deleted {
		return feed.Change{KeyGone: name}
	}
	return feed.Change{
		Key: &apikey.Key{ID: name, Workspace: id.Workspace(fmt.Sprint("w", n)), User: "ann", IsActive: !s.disabled,
			Value: apikey.Value{Digest: w.digester.Store(w.values[n][s.value])}},
	}
}

// do makes a deed true, and tells whether it could be done.
func (w *world) do(in step) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.truths[in.subject]
	switch in.deed {
	case closes, opens:
		*s = s.after(in.deed)
		w.apply(w.place(in.subject, *s))
		return true
	case removes, invites:
		*s = s.after(in.deed)
		w.apply(w.person(in.subject, *s))
		return true
	}
	if s.deleted || s.created == (in.deed == creates) || in.deed == rotates && s.value == values-1 {
		return false
	}
	*s = s.after(in.deed)
	w.hints[in.subject].Store(int64(s.value))
	w.apply(w.key(in.subject, *s))
	return true
}

// draw picks a step: mostly questions, about the current value or one next to it. A stop of a key is undone soon, and
// keys are deleted late.
func (w *world) draw(r *rand.Rand, late bool) step {
	n := r.IntN(subjects)
	in := step{subject: n, deed: asks, value: min(max(int(w.hints[n].Load())+r.IntN(3)-1, 0), values-1)}
	often := []deed{
		creates, rotates, rotates, disables, closes, removes, enables, enables, enables, opens, opens, opens, invites,
		invites, invites,
	}
	switch dice := r.IntN(100); {
	case dice < 40:
		in.deed = often[r.IntN(len(often))]
	case dice < 50 && late:
		in.deed = deletes
	}
	return in
}

// soak is how many operations a history test is about: a few, or as many as make soak says, in rounds that can be
// checked.
func soak(t *testing.T, few int, round func(t *testing.T, seed uint64) int) {
	t.Helper()
	want := few
	if text := os.Getenv("KEYWARD_SOAK_OPERATIONS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		want = n
	}
	for done, seed := 0, uint64(0); done < want && !t.Failed(); seed++ {
		done += round(t, seed)
	}
}

func TestT25NoVerificationThatStartsAfterAnAnswerContradictsIt(t *testing.T) {
	t.Parallel()
	soak(t, 1, replicaHistory)
}

// replicaHistory is a round of clients that change a replica, and ask it.
func replicaHistory(t *testing.T, seed uint64) int {
	w := newWorld(t)
	var clock, done atomic.Int64
	var mu sync.Mutex
	var history []porcupine.Operation
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(client), 25+seed))
			var own []porcupine.Operation
			for range steps {
				runtime.Gosched() // so that the clients take turns
				in := w.draw(r, done.Add(1) > clients*steps*9/10)
				op := porcupine.Operation{ClientId: client, Input: in, Call: clock.Add(1)}
				if in.deed == asks {
					op.Output = w.code(verify.Question{Key: w.values[in.subject][in.value].Reveal()})
				} else if !w.do(in) {
					continue
				}
				op.Return = clock.Add(1)
				own = append(own, op)
			}
			mu.Lock()
			defer mu.Unlock()
			history = append(history, own...)
		})
	}
	wg.Wait()
	if got := porcupine.CheckOperationsTimeout(law, history, time.Minute); got != porcupine.Ok {
		t.Errorf("a history of %d operations is %s: no order of them explains the verdicts", len(history), got)
	}
	count(t, history)
	return len(history)
}

// count makes sure that the history is about something.
func count(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	seen := map[any]int{}
	for _, op := range history {
		if in := op.Input.(step); in.deed == asks {
			seen[op.Output]++
		} else {
			seen[in.deed]++
		}
	}
	for _, want := range []any{verify.Valid, verify.Disabled, verify.NotFound, creates, rotates, deletes, disables, closes,
		removes} {
		if seen[want] < subjects/2 {
			t.Errorf("the history has too little of %v: %v", want, seen)
		}
	}
	t.Logf("%d operations: %v", len(history), seen)
}
