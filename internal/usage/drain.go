package usage

// Entry holds the uses of a key in a minute with one demand. Without a key it belongs to the installation.
type Entry struct {
	Key       ID
	Workspace ID
	Minute    int64 // its start, in Unix milliseconds
	Used      int64 // when it was last verified in this minute, in Unix milliseconds; 0 for never
	Tried     int64 // when it was last asked about in this minute, whatever the outcome; 0 without a key
	Demand    Demand
	Counts    Counts
}

func (s *Buffer) entry(c *cell, places []ID) Entry {
	e := Entry{
		Key: c.key, Workspace: places[c.place], Minute: int64(c.minute) * millisOfMinute, Demand: c.demand, Counts: c.sum(),
	}
	e.Used, e.Tried = at(c.minute, c.used), at(c.minute, c.tried)
	return e
}

// at is an instant that a cell has noted, in Unix milliseconds; 0 for none.
func at(minute uint32, within uint16) int64 {
	if within == 0 {
		return 0
	}
	return int64(minute)*millisOfMinute + int64(within-1)
}

func (c *cell) sum() (n Counts) {
	from := 0
	if c.key == (ID{}) {
		from = int(known)
	}
	for i := from; i < min(from+len(c.counts), len(n)); i++ {
		n[i] = int64(c.counts[i-from])
	}
	return n
}

// Turn makes the front the back, so that it can be written down. A back that is not settled yet stays, and its front
// waits for the next turn. Turn, Take and Settle are for one goroutine.
func (s *Buffer) Turn() {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		fresh, unsettled, unused := sh.back, sh.back.settled < sh.back.used, sh.front.used == 0
		switch {
		case unsettled:
		case unused:
			sh.front.release()
			sh.back.release()
		default:
			sh.back = table{}
		}
		sh.mu.Unlock()
		if unsettled || unused {
			continue
		}
		fresh.reset() // outside of the lock: it may be large
		sh.mu.Lock()
		sh.back, sh.front = sh.front, fresh
		sh.mu.Unlock()
	}
	s.next, s.taken = position{}, s.taken[:0]
}

// Take fills a batch with entries of the back and returns their number; 0 means that all are settled. Entries that
// were taken and not settled are taken again.
func (s *Buffer) Take(batch []Entry) (n int) {
	places := s.places.all()
	if len(s.taken) > 0 {
		s.next, s.taken = s.taken[0], s.taken[:0]
	}
	for ; s.next.shard < shards; s.next = (position{shard: s.next.shard + 1}) {
		// Only this goroutine writes to the back, and readers change nothing.
		back := &s.shards[s.next.shard].back
		for ; s.next.cell < len(back.cells); s.next.cell++ {
			c := &back.cells[s.next.cell]
			if c.minute == 0 || c.counts == [known]uint32{} {
				continue
			}
			if n == len(batch) {
				return n
			}
			batch[n] = s.entry(c, places)
			s.taken = append(s.taken, s.next)
			n++
		}
	}
	return n
}

// Settle says that the taken entries are written. They are not counted any more from then on; the time of last use
// stays readable for a while.
func (s *Buffer) Settle() {
	for _, p := range s.taken {
		sh := &s.shards[p.shard]
		sh.mu.Lock()
		sh.back.cells[p.cell].counts = [known]uint32{}
		sh.back.settled++
		sh.mu.Unlock()
	}
	s.taken = s.taken[:0]
}

// Key adds the recorded uses of a key to a series.
func (s *Buffer) Key(key ID, series *Series) {
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, t := range []*table{&sh.front, &sh.back} {
		for minute := t.from; t.used > 0 && minute <= t.to; minute++ {
			t.of(key, minute, func(c *cell) {
				n := c.sum()
				series.Add(int64(minute)*millisOfMinute, &n)
			})
		}
	}
}

// Demands gives the demands with which a key was verified, as far as they are not settled.
func (s *Buffer) Demands(key ID, found func(d Demand, minute int64)) {
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, t := range []*table{&sh.front, &sh.back} {
		for minute := t.from; t.used > 0 && minute <= t.to; minute++ {
			t.of(key, minute, func(c *cell) {
				if c.demand != 0 && c.counts[Verified] > 0 {
					found(c.demand, int64(minute)*millisOfMinute)
				}
			})
		}
	}
}

// Workspace adds the recorded uses of a workspace's keys to a series. It reads every cell.
func (s *Buffer) Workspace(ws ID, series *Series) {
	s.each(func(e *Entry) {
		if e.Workspace == ws {
			series.Add(e.Minute, &e.Counts)
		}
	})
}

// Each runs f for every entry that is not settled, keyless ones included. f must be quick.
func (s *Buffer) Each(f func(*Entry)) {
	s.each(func(e *Entry) {
		if e.Counts != (Counts{}) {
			f(e)
		}
	})
}

// All adds all recorded uses to a series, including attempts with texts that are not keys. It reads every cell.
func (s *Buffer) All(series *Series) {
	s.each(func(e *Entry) { series.Add(e.Minute, &e.Counts) })
}

func (s *Buffer) each(f func(*Entry)) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		places := s.places.all()
		for _, t := range []*table{&sh.front, &sh.back} {
			for j := range t.cells {
				if c := &t.cells[j]; c.minute != 0 {
					e := s.entry(c, places)
					f(&e)
				}
			}
		}
		sh.mu.Unlock()
	}
}

// Latest is when a key was last verified, and last asked about whatever the outcome, as far as the buffer still knows,
// in Unix milliseconds; 0 where it knows nothing.
func (s *Buffer) Latest(key ID) (used, tried int64) {
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, t := range []*table{&sh.front, &sh.back} {
		u, a := t.latest(key)
		used, tried = max(used, u), max(tried, a)
	}
	return used, tried
}

func (t *table) latest(key ID) (used, tried int64) {
	for minute := t.to; t.used > 0 && minute >= t.from && used == 0; minute-- {
		t.of(key, minute, func(c *cell) { used, tried = max(used, at(minute, c.used)), max(tried, at(minute, c.tried)) })
	}
	return used, tried
}
