package clock_test

import (
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/clock"
)

var noon = time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)

const year = 365 * 24 * time.Hour

// machine is a wall clock and a monotonic clock that a test moves, and the state stored between starts.
type machine struct {
	*testing.T
	wall time.Time
	run  time.Duration
	kept clock.State
	*clock.Clock
}

func boot(t *testing.T) *machine {
	m := &machine{T: t, wall: noon}
	m.start()
	m.keep()
	return m
}

// start is another process, whose monotonic clock begins anew.
func (m *machine) start() {
	m.run = 0
	m.Clock = clock.NewWith(func() (time.Time, time.Duration) { return m.wall, m.run })
	m.Adopt(m.kept)
}

// pass lets both clocks go on, and keeps the state each ten seconds as a server does.
func (m *machine) pass(d time.Duration) {
	for ; d > 0; d -= 10 * time.Second {
		m.wall, m.run = m.wall.Add(min(d, 10*time.Second)), m.run+min(d, 10*time.Second)
		m.keep()
	}
}

func (m *machine) keep() {
	m.kept = m.Step(m.kept, m.Now())
	m.Took(m.kept)
}

func (m *machine) step(d time.Duration) { m.wall = m.wall.Add(d) }

func (m *machine) is(what string, now, floor time.Duration) {
	m.Helper()
	if got := m.Now(); got != noon.Add(now) {
		m.Errorf("%s: it is %v, want %v", what, got, noon.Add(now))
	}
	if got := m.Floor(); got != noon.Add(floor) {
		m.Errorf("%s: %v is known to have come, want %v", what, got, noon.Add(floor))
	}
}

func TestNowIsTheWallClockInWholeMilliseconds(t *testing.T) {
	t.Parallel()
	wall := noon.Add(1_999_999 * time.Nanosecond).In(time.FixedZone("x", 3600))
	c := clock.New(func() time.Time { return wall })
	if got, want := c.Now(), noon.Add(time.Millisecond); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestT31TimeGoesOnWithoutAClockThatIsSetBack(t *testing.T) {
	t.Parallel()
	m := boot(t)
	m.pass(time.Minute)
	m.step(-20 * time.Second)
	m.is("20 seconds back", time.Minute, time.Minute)
	m.pass(10 * time.Second)
	m.is("which it waits for", time.Minute, time.Minute)
	m.pass(20 * time.Second)
	m.is("and then goes on", 70*time.Second, 70*time.Second)
	m.step(-time.Hour)
	before := m.Now()
	m.pass(5 * time.Minute)
	if passed := m.Now().Sub(before); passed < 5*time.Minute || passed > 6*time.Minute {
		t.Errorf("after an hour back, %v have passed in five minutes", passed)
	}
	late := m.Now()
	m.start()
	m.pass(10 * time.Second)
	if now := m.Now(); now.Before(late.Add(10*time.Second)) || now.After(late.Add(time.Minute)) {
		t.Errorf("after a restart it is %v, and was %v", now, late)
	}
	if s := m.Standing(); s.Behind < 59*time.Minute || s.Behind > 61*time.Minute {
		t.Errorf("the clock is said to be %v behind", s.Behind)
	}
}

func TestT103AJumpAheadIsTakenBackWithinAnHourThatWasRun(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]func(m *machine, d time.Duration){
		"running": (*machine).step,
		"stopped": func(m *machine, d time.Duration) { m.step(d); m.start() },
		"at its first step stopped, then running": func(m *machine, d time.Duration) {
			m.step(d / 2)
			m.start()
			m.keep()
			m.step(d / 2)
		},
	} {
		for _, d := range []time.Duration{3 * time.Minute, time.Hour, 3 * year} {
			m := boot(t)
			jump(m, d)
			m.is(name, d, 0)
			m.pass(59 * time.Minute)
			m.is(name+", later", d+59*time.Minute, 59*time.Minute)
			if s := m.Standing(); s.Ahead != d || s.Left <= 0 || s.Left > 2*time.Minute {
				t.Errorf("%s: it stands %+v", name, s)
			}
			m.start()
			m.step(-d)
			m.is(name+", put right", 59*time.Minute, 59*time.Minute)
			m.keep()
			if m.kept.Ahead != 0 || m.kept.Ran != 0 {
				t.Errorf("%s: put right, and kept is %+v", name, m.kept)
			}
		}
	}
}

func TestT103AJumpAheadThatLastsIsTrusted(t *testing.T) {
	t.Parallel()
	m := boot(t)
	m.step(30 * 24 * time.Hour) // off for a month
	for range 4 {
		m.start()
		m.pass(16 * time.Minute)
	}
	m.is("after an hour, in four starts", 30*24*time.Hour+64*time.Minute, 30*24*time.Hour+64*time.Minute)
	m.step(-3 * 24 * time.Hour)
	m.is("and set back", 30*24*time.Hour+64*time.Minute, 30*24*time.Hour+64*time.Minute)
}

func TestT103AnHourThatWasNotRunDoesNotCount(t *testing.T) {
	t.Parallel()
	m := boot(t)
	m.step(3 * year)
	m.pass(time.Minute)
	for range 200 { // the wall clock goes on, the process does not run
		m.step(50 * time.Second)
		m.start()
		m.keep()
	}
	if m.kept.Ahead == 0 {
		t.Fatalf("trusted after a minute: %+v", m.kept)
	}
	m.step(time.Hour) // another jump on top of it
	m.pass(59*time.Minute + 30*time.Second)
	if m.kept.Ahead == 0 {
		t.Errorf("trusted by what was run with another jump: %+v", m.kept)
	}
}

func TestT103AnotherClockIsLearnt(t *testing.T) {
	t.Parallel()
	m := &machine{T: t, wall: noon.Add(3 * year)} // wrong
	m.Clock = clock.NewWith(func() (time.Time, time.Duration) { return m.wall, m.run })
	m.FollowRemote()
	m.Learn(noon)
	m.keep()
	m.is("learnt", 0, 0)
	m.pass(time.Minute)
	m.is("and carried on", time.Minute, time.Minute)
	m.Learn(noon.Add(3 * year))
	m.is("the other one jumps", 3*year, time.Minute)
	m.keep()
	m.Learn(noon.Add(time.Minute))
	m.is("and is put right", time.Minute, time.Minute)
}

func TestT103AResetIsHeardOfByTheOthers(t *testing.T) {
	t.Parallel()
	m, other := boot(t), boot(t)
	for _, one := range []*machine{m, other} {
		one.step(3 * year)
		one.pass(2 * time.Hour)
		one.step(-3 * year)
		one.is("left behind", 3*year+2*time.Hour, 3*year+2*time.Hour)
	}
	before := m.kept
	m.kept = m.Reset(m.kept)
	m.Took(m.kept)
	m.is("reset", 2*time.Hour, 2*time.Hour)
	other.Adopt(m.kept)
	other.is("heard of", 2*time.Hour, 2*time.Hour)
	other.Adopt(before)
	other.is("a look at what was before", 2*time.Hour, 2*time.Hour)
}

func TestNobodySeesTheClockRunBackwards(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	n := 0
	c := clock.New(func() time.Time { // jumps to and fro
		mu.Lock()
		defer mu.Unlock()
		n++
		return noon.Add(time.Duration(n*7919%1000) * time.Millisecond)
	})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			last := c.Now()
			for range 1000 {
				now := c.Now()
				if now.Before(last) {
					t.Errorf("%v after %v", now, last)
				}
				last = now
			}
		})
	}
	wg.Wait()
}

func TestT31OneLookTellsTheTimeAndWhatHasPassed(t *testing.T) {
	t.Parallel()
	m := boot(t)
	m.wall, m.run = noon.Add(80*time.Second), 90*time.Second
	if ms, passed := m.Look(); ms != m.wall.UnixMilli() || passed != 90*time.Second {
		t.Errorf("%d, and %v have passed", ms, passed)
	}
	m.wall = noon.Add(70 * time.Second)
	if ms, _ := m.Look(); ms < noon.Add(80*time.Second).UnixMilli() {
		t.Errorf("the time went back to %d", ms)
	}
}
