package usage

import "sync"

// table is an open-addressing table without deletion. It is cleared as a whole.
type table struct {
	cells    []cell // a power of two, or none
	used     int
	settled  int    // of the used ones
	from, to uint32 // the minutes of all cells lie within, both included
}

// find looks for the cell of a key, a minute and a demand. others is how many cells of the same key and minute have
// another demand, up to the place where the search ended.
func (t *table) find(key ID, minute uint32, demand Demand, h uint64) (found *cell, others int) {
	if len(t.cells) == 0 {
		return nil, 0
	}
	mask := uint64(len(t.cells) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		c := &t.cells[i]
		if c.minute == minute && c.key == key {
			if c.demand == demand {
				return c, others
			}
			others++
		}
		if c.minute == 0 {
			return nil, others
		}
	}
}

// of runs f for the cells of a key and a minute.
func (t *table) of(key ID, minute uint32, f func(*cell)) {
	if len(t.cells) == 0 {
		return
	}
	mask := uint64(len(t.cells) - 1)
	for i := hash(key, minute) & mask; t.cells[i].minute != 0; i = (i + 1) & mask {
		if c := &t.cells[i]; c.minute == minute && c.key == key {
			f(c)
		}
	}
}

// add takes an empty cell for a key, a minute and a demand that are not there yet. A table is three quarters full at
// most.
func (t *table) add(key ID, minute uint32, demand Demand, h uint64) *cell {
	if 4*(t.used+1) > 3*len(t.cells) {
		t.grow()
	}
	c := t.vacant(h)
	c.key, c.minute, c.demand = key, minute, demand
	if t.used++; t.used == 1 {
		t.from, t.to = minute, minute
	}
	t.from, t.to = min(t.from, minute), max(t.to, minute)
	return c
}

func (t *table) vacant(h uint64) *cell {
	mask := uint64(len(t.cells) - 1)
	i := h & mask
	for t.cells[i].minute != 0 {
		i = (i + 1) & mask
	}
	return &t.cells[i]
}

func (t *table) grow() {
	old := t.cells
	t.cells = make([]cell, max(2*len(old), smallest))
	for i := range old {
		if c := &old[i]; c.minute != 0 {
			*t.vacant(hash(c.key, c.minute)) = *c
		}
	}
}

// reset empties a table for its next use. One that was hardly used is given back, so that quiet hours cost no memory.
func (t *table) reset() {
	if len(t.cells) > smallest && 8*t.used < len(t.cells) {
		*t = table{}
		return
	}
	clear(t.cells)
	t.used, t.settled = 0, 0
}

// release gives back the memory of a table that nothing needs now.
func (t *table) release() {
	if len(t.cells) > smallest {
		*t = table{}
	}
}

// places number the workspaces, so that a cell has room for one. They are few, and are never forgotten.
type places struct {
	mu      sync.Mutex
	numbers map[ID]uint32
	ids     []ID
}

func (p *places) number(ws ID) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.numbers[ws]
	if !ok {
		n = uint32(len(p.ids))
		p.numbers[ws] = n
		p.ids = append(p.ids, ws)
	}
	return n
}

func (p *places) all() []ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ids[:len(p.ids):len(p.ids)]
}
