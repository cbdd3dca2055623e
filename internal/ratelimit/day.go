package ratelimit

// A day's limit is spent in memory out of blocks that were reserved in a Ledger before. The reserved total never
// exceeds the limit, so neither does the admitted total, however the process ends; units that a killed process held
// are lost for the day.
const (
	dayMillis   = 86_400_000
	firstBlock  = 5   // as a power of two: 32
	largestExp  = 20  // 1,048,576
	blockShare  = 20  // a block is at most a twentieth of the limit
	growBelow   = 60  // seconds a block should last at least
	shrinkAbove = 600 // and at most
	stale       = 10  // seconds after which a refusal asks the ledger again
)

// quota is the day of a key: the reserved total as this process knows it, and the part of it that this process holds.
type quota struct {
	unspent  uint32 // reserved here and not spent
	reserved uint32 // in the ledger, by everybody, as of the last look
	day      uint16 // since 1970, UTC
	asked    uint16 // seconds of the limiter's own time at which the ledger was asked last
	exp      uint8  // the size of a block as a power of two
	loaded   bool   // reserved is known
	pending  bool   // the ledger is being asked
}

// turn begins a new day. An earlier one is never taken up again: where the clock was set back, the later day goes on.
func (q *quota) turn(today uint16) {
	if today > q.day {
		q.day, q.unspent, q.reserved, q.loaded = today, 0, 0, false
	}
}

// left is the rest of the day: units that others have reserved count as used.
func (q *quota) left(limit int64) int64 { return max(0, limit-int64(q.reserved)+int64(q.unspent)) }

// free is how much can still be reserved.
func (q *quota) free(limit int64) int64 { return max(0, limit-int64(q.reserved)) }

// block bounds the units to hold: some minutes of the key's traffic, a twentieth of the limit, a quarter of the free
// units.
func (q *quota) block(limit int64) int64 {
	b := min(int64(1)<<q.exp, limit/blockShare, (q.free(limit)+3)/4)
	return max(1, b)
}

// low tells that it is time to reserve the next block, well before this one ends.
func (q *quota) low(limit int64) bool {
	return q.free(limit) > 0 && 2*int64(q.unspent) < q.block(limit)
}

// ask sets the size of the next block by how long the last one lasted, and answers how much to reserve.
func (q *quota) ask(limit, cost int64, now uint16) (want int64) {
	switch lasted := now - q.asked; {
	case q.exp == 0:
		q.exp = firstBlock
	case lasted == 0:
		q.exp = min(q.exp+2, largestExp)
	case lasted < growBelow:
		q.exp = min(q.exp+1, largestExp)
	case lasted > shrinkAbove:
		q.exp = max(q.exp-1, firstBlock)
	}
	q.asked, q.pending = now, true
	return max(0, max(q.block(limit), cost)-int64(q.unspent))
}

// look notes that the ledger is asked how things stand, and for nothing else.
func (q *quota) look(now uint16) { q.asked, q.pending = now, true }

// ends is when the day does, in Unix milliseconds.
func (q *quota) ends() int64 { return (int64(q.day) + 1) * dayMillis }

// retry is when a cost that is refused can be admitted.
func (q *quota) retry(limit, need int64) int64 {
	if need > limit {
		return Never
	}
	return q.ends()
}

// told applies the ledger's answer. It returns the lost part of the grant.
func (q *quota) told(c *Claim) (lost int64) {
	q.pending = false
	if uint16(c.Day) != q.day {
		return c.Granted // the day has ended in the meantime
	}
	if c.Stands > c.Day {
		q.day, q.unspent = uint16(c.Stands), 0 // another node's clock is ahead
	}
	q.unspent += uint32(c.Granted)
	q.reserved = uint32(min(c.Reserved, 2*Max))
	q.loaded = true
	return 0
}
