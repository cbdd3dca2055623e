package follow_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feed/feedtest"
	"github.com/keyward/keyward/internal/follow"
	"github.com/keyward/keyward/internal/id"
)

const (
	limit = 5 * time.Second
	wait  = time.Second
)

// slow is a source that takes its time, and claims any time.
type slow struct {
	*feedtest.Model
	clock     *time.Time
	takes     time.Duration // before the changes are read
	late      time.Duration // after that
	held, age time.Duration
	fails     error
	waits     []time.Duration // of each question
}

func (s *slow) Next(ctx context.Context, p feed.Presence) (feed.Page, error) {
	s.waits = append(s.waits, p.Wait)
	*s.clock = s.clock.Add(s.takes)
	page, err := s.Model.Next(ctx, p)
	*s.clock = s.clock.Add(s.late)
	page.Held, page.Age = s.held, s.age
	return page, errors.Join(err, s.fails)
}

// begin makes a follower that has loaded and caught up at an instant of a clock that stands still.
func begin(t *testing.T, page int) (*follow.Follower, *slow, func() id.Key) {
	t.Helper()
	ids := id.NewGenerator(time.Now, rand.Reader)
	clock := time.Now()
	s := &slow{Model: &feedtest.Model{Page: page}, clock: &clock}
	put := func() id.Key {
		k := id.Key(ids.Next())
		s.Put(apikey.Key{ID: k, Workspace: "w", User: "u"})
		return k
	}
	put()
	f := follow.New(follow.Config{Source: s, Limit: limit, Wait: wait, Now: func() time.Time { return clock }})
	if f.Replica().Ready() {
		t.Error("an empty copy is ready")
	}
	if err := f.Start(context.Background()); err != nil || !f.Replica().Ready() {
		t.Fatal(err, f.Replica().Ready())
	}
	return f, s, put
}

// A copy that is not proved to be fresh yet waits for no change: after a load, and after a question that failed.
func TestTheFirstQuestionIsNotHeld(t *testing.T) {
	t.Parallel()
	f, s, put := begin(t, 0)
	s.fails = errors.New("away")
	for range 2 {
		_ = f.Look(context.Background())
	}
	s.fails = nil
	for range 2 {
		if err := f.Look(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	put()
	s.Forget()
	if err := f.Look(context.Background()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]time.Duration{0, wait, 0, 0, wait, wait, 0}, s.waits); diff != "" {
		t.Error(diff)
	}
}

func TestOneLookComesToTheEndPageByPage(t *testing.T) {
	t.Parallel()
	f, _, put := begin(t, 7)
	for range 30 {
		put()
	}
	if err := f.Look(context.Background()); err != nil || f.Replica().Size() != 31 || f.Revision() != 31 {
		t.Errorf("%d keys at revision %d: %v", f.Replica().Size(), f.Revision(), err)
	}
}

// An answer proves the state at which the source read it, less the age of that state. The time of its arrival does not
// count.
func TestT110AnAnswerIsAsFreshAsTheMomentWhenItWasRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ takes, late, held, age, want time.Duration }{
		"at once":                         {0, 0, 0, 0, 0},
		"held, and told":                  {time.Second, 0, time.Second, 0, 0},
		"held, and not told":              {time.Second, 0, 0, 0, time.Second},
		"long on its way":                 {0, 3 * time.Second, 0, 0, 3 * time.Second},
		"held and long on its way":        {time.Second, 3 * time.Second, time.Second, 0, 3 * time.Second},
		"of a source that is behind":      {time.Second, 0, time.Second, 2 * time.Second, 2 * time.Second},
		"on its way for longer than that": {0, limit + 1, 0, 0, limit + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, s, _ := begin(t, 0)
			*s.clock = s.clock.Add(time.Minute)
			s.takes, s.late, s.held, s.age = c.takes, c.late, c.held, c.age
			if err := f.Look(context.Background()); err != nil {
				t.Fatal(err)
			}
			if r := f.Replica(); r.Age() != c.want || r.Ready() != (c.want <= limit) {
				t.Errorf("the copy is %s old, want %s; ready: %v", r.Age(), c.want, r.Ready())
			}
		})
	}
}

func TestT110APageThatWasHeldForLongerThanItsQuestionTookIsDropped(t *testing.T) {
	t.Parallel()
	f, s, put := begin(t, 0)
	put()
	s.takes, s.held = time.Second, time.Second+1
	if err := f.Look(context.Background()); !errors.Is(err, follow.ErrHeld) || f.Revision() != 1 {
		t.Errorf("at revision %d: %v", f.Revision(), err)
	}
}

func TestT33AnotherHistoryFencesTheCopyAndLoadsAnotherOne(t *testing.T) {
	t.Parallel()
	f, s, put := begin(t, 0)
	old := f.Replica()
	put()
	s.Forget()
	if err := f.Look(context.Background()); err != nil {
		t.Fatal(err)
	}
	if old.Ready() || f.Replica() == old || !f.Replica().Ready() || f.Replica().Size() != 2 || f.Loads() != 2 {
		t.Errorf("the old copy is ready: %v; the new one: %v, with %d keys after %d loads", old.Ready(), f.Replica().Ready(),
			f.Replica().Size(), f.Loads())
	}
}

func TestT26ASourceThatIsAwayFencesTheCopyAtTheLimit(t *testing.T) {
	t.Parallel()
	f, s, _ := begin(t, 0)
	s.fails = errors.New("away")
	for _, step := range []struct {
		pass time.Duration
		want bool
	}{{limit, true}, {1, false}} {
		*s.clock = s.clock.Add(step.pass)
		if err := f.Look(context.Background()); err == nil || f.Replica().Ready() != step.want {
			t.Errorf("%s later: ready %v, %v", step.pass, f.Replica().Ready(), err)
		}
	}
	s.fails = nil
	if err := f.Look(context.Background()); err != nil || !f.Replica().Ready() {
		t.Errorf("once it is back: ready %v, %v", f.Replica().Ready(), err)
	}
}
