package control

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

func one() int   { return 1 }
func two() int   { return 2 }
func three() int { return 3 }

func TestAtMostTwoSearchesOfAWorkspaceRunAtOnceT105(t *testing.T) {
	t.Parallel()
	s := newTurns(three, two)
	enter := func(room string) func() {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		leave, err := s.enter(ctx, room)
		if err != nil {
			return nil
		}
		return leave
	}
	first, second := enter("a"), enter("a")
	if first == nil || second == nil || enter("a") != nil {
		t.Fatal("want two turns in a workspace, and no third")
	}
	third := enter("b")
	if third == nil || enter("b") != nil || enter("c") != nil {
		t.Fatal("want three turns in all")
	}
	for _, leave := range []func(){first, second, third} {
		leave()
	}
	s.empty(t)
}

// empty holds that nothing is left of searches that are over.
func (s *turns) empty(t *testing.T) {
	t.Helper()
	if len(s.rooms) != 0 || len(s.turns) != 0 || s.running != 0 {
		t.Errorf("%d rooms, %d turns and %d searches are left", len(s.rooms), len(s.turns), s.running)
	}
}

// However many searches of a workspace wait, another workspace's comes after one of them.
func TestASearchOfAnotherWorkspaceIsNotBehindAllOfOneT105(t *testing.T) {
	t.Parallel()
	s := newTurns(one, two)
	first, err := s.enter(t.Context(), "loud")
	if err != nil {
		t.Fatal(err)
	}
	const loud = 20
	order := make(chan string, loud+1)
	var all sync.WaitGroup
	wait := func(workspace string, n int) {
		all.Go(func() {
			leave, err := s.enter(t.Context(), workspace)
			if err != nil {
				t.Error(err)
				return
			}
			order <- workspace
			leave()
		})
		for s.waiting() < n {
			runtime.Gosched()
		}
	}
	for i := range loud {
		wait("loud", i+1)
	}
	wait("quiet", loud+1)
	first()
	all.Wait()
	close(order)
	before := 0
	for workspace := range order {
		if workspace == "quiet" {
			break
		}
		before++
	}
	if before > 1 {
		t.Errorf("a quiet workspace's search came after %d of a loud one", before)
	}
	s.empty(t)
}

// A search that is given up leaves its place, whether it waits alone or among others, and its turn where that comes at
// that moment.
func TestASearchThatIsGivenUpLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newTurns(two, two)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*100*time.Microsecond)
			defer cancel()
			if leave, err := s.enter(ctx, string(rune('a'+i%5))); err == nil {
				runtime.Gosched()
				leave()
			}
		})
	}
	all.Wait()
	s.empty(t)
}

// A tenant who has been alone for a moment is lent turns, until another one comes, and none for work that is not brief.
// Another tenant waits for none that is lent.
func TestATenantAloneIsLentTurnsT105(t *testing.T) {
	t.Parallel()
	var passed time.Duration
	s := newTurns(two, one)
	s.extra = two
	s.now = func() time.Time { return time.Unix(0, 0).Add(passed) }
	enter := func(tenant string) (turn func() func()) {
		entered := make(chan func(), 1)
		before := s.waiting()
		go func() {
			leave, err := s.enter(t.Context(), tenant)
			if err != nil {
				t.Error(err)
			}
			entered <- leave
		}()
		for len(entered) == 0 && s.waiting() == before {
			runtime.Gosched()
		}
		return func() func() { return <-entered }
	}
	wait := func(n int, why string) {
		t.Helper()
		if got := s.waiting(); got != n {
			t.Fatalf("%d wait, want %d: %s", got, n, why)
		}
	}
	enter("quiet")()()
	first := enter("loud")()
	soon := enter("loud")
	wait(1, "another tenant came a moment ago")
	first()
	soon()()
	passed += aloneFor
	first = enter("loud")()
	second, third := enter("loud")(), enter("loud")()
	fourth := enter("loud")
	wait(1, "two turns are lent, and no third")
	quietly := enter("quiet")()
	wait(1, "another tenant waits for no turn that is lent")
	second()
	third()
	wait(1, "a tenant beside another is lent none")
	first()
	wait(0, "a tenant beside another has its own turn")
	quietly()
	passed += aloneFor
	last := enter("loud")
	wait(1, "the tenant came last, and the other a moment before")
	passed += aloneFor + 20*brief
	fourth()()
	long := enter("loud")
	wait(1, "the work was long")
	last()()
	long()()
	s.empty(t)
}
