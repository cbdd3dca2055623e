package clock

import "time"

// Adopt takes in a state that was read from the database.
func (c *Clock) Adopt(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.adopt(s)
}

func (c *Clock) adopt(s State) {
	if s.Resets < c.state.Resets {
		return // from a snapshot before the reset
	}
	_, elapsed := c.read()
	floor := s.Mark - elapsed.Milliseconds()
	if s.Resets > c.state.Resets {
		c.floor.Store(floor)
		c.mark.Store(s.Mark)
	}
	highest(&c.floor, floor)
	c.state = s
	latest := s.Mark
	if now, _ := c.Look(); s.Ahead > latest && abs(s.Ahead-now) <= Tolerance.Milliseconds() {
		latest = s.Ahead
	}
	highest(&c.mark, latest)
}

// Step returns the state to store with a given time, if s is the state stored before. It changes nothing: Took does.
func (c *Clock) Step(s State, told time.Time) State {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, elapsed := c.read()
	now, floor := told.UnixMilli(), max(c.floor.Load()+elapsed.Milliseconds(), s.Mark)
	if s.Mark == 0 || now <= floor+Tolerance.Milliseconds() {
		return State{Mark: max(s.Mark, now), Resets: s.Resets}
	}
	next := State{Mark: floor, Ahead: now, Resets: s.Resets}
	own := (elapsed - c.stepped).Milliseconds()
	if passed := now - s.Ahead; s.Ahead != 0 && passed <= own+Tolerance.Milliseconds() &&
		passed >= -Tolerance.Milliseconds() {
		next.Ahead, next.Ran = max(now, s.Ahead), s.Ran+max(0, min(passed, own))
	}
	if next.Ran >= Trial.Milliseconds() {
		return State{Mark: next.Ahead, Resets: s.Resets}
	}
	return next
}

// Took takes over a state that Step or Reset gave, once it is on the disk.
func (c *Clock) Took(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.adopt(s)
	_, c.stepped = c.read()
}

// Reset gives the state in which time goes by the reference again.
func (c *Clock) Reset(s State) State {
	return State{Mark: c.Reference().UnixMilli(), Resets: s.Resets + 1}
}

// Standing says how time stands.
type Standing struct {
	// Behind is how far the reference is behind a floor that it does not wait for: time goes on by the monotonic clock.
	// 0 for none.
	Behind time.Duration
	// Ahead is how far a provisional jump is ahead of the floor, 0 for none, and Left how long it stays provisional.
	Ahead, Left time.Duration
}

// Standing looks at the clock.
func (c *Clock) Standing() (s Standing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, elapsed := c.read()
	floor, now := c.floor.Load()+elapsed.Milliseconds(), c.Reference().UnixMilli()
	switch {
	case now < floor-near.Milliseconds():
		s.Behind = milliseconds(floor - now)
	case c.state.Mark != 0 && now > floor+Tolerance.Milliseconds():
		s.Ahead, s.Left = milliseconds(now-floor), Trial-milliseconds(c.state.Ran)
	}
	return s
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func abs(n int64) int64 { return max(n, -n) }
