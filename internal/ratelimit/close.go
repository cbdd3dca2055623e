package ratelimit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Close ends the limiter: later questions are Unavailable, and every unspent block of the day is given back. An error
// says that some were not, and are lost for the day. Windows can be read afterwards.
func (l *Limiter) Close(ctx context.Context) error {
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		sh.closed = true
		sh.mu.Unlock()
	}
	l.desk.close()
	t := l.timer.instant()
	var claims []Claim
	var failed error
	flush := func() {
		if len(claims) == 0 || failed != nil {
			return
		}
		if failed = l.desk.ledger.Settle(ctx, claims); failed == nil {
			for i := range claims {
				l.stats.settled(&claims[i])
			}
		}
		claims = claims[:0]
	}
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock() // a decision that began before may still read
		for j := range sh.entries {
			if e := &sh.entries[j]; e.live && e.loaded && e.day >= t.today && e.unspent > 0 {
				claims = append(claims, Claim{ID: e.id, Day: int64(e.day), Give: int64(e.unspent)})
				e.unspent = 0
			}
		}
		sh.mu.Unlock()
		if len(claims) >= batchSize {
			flush()
		}
	}
	flush()
	if failed != nil {
		return fmt.Errorf("give back what was reserved of the day: %w", failed)
	}
	return nil
}

const (
	windowsVersion = 1
	partBytes      = 256 << 10
)

// Windows writes the windows per minute as they stand, in parts of some hundred kilobytes that Restore reads, each of
// its own. There is at least one.
func (l *Limiter) Windows(write func(part []byte) error) error {
	t := l.timer.instant()
	part := header(&t)
	empty := len(part)
	wrote := false
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		for j := range sh.entries {
			if e := &sh.entries[j]; e.live {
				part = sh.encode(part, e, &t)
			}
		}
		sh.mu.Unlock()
		if len(part) >= partBytes || i == len(l.shards)-1 && (len(part) > empty || !wrote) {
			if err := write(part); err != nil {
				return err
			}
			part, wrote = header(&t), true
		}
	}
	return nil
}

func header(t *instant) []byte {
	return binary.BigEndian.AppendUint64([]byte{windowsVersion}, uint64(t.wall))
}

// WrittenAt returns the time stored in the header of a snapshot chunk, or the zero time if the chunk is invalid.
func WrittenAt(part []byte) time.Time {
	if len(part) < 9 || part[0] != windowsVersion {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(part[1:]))).UTC()
}

// encode adds the runs of an entry: how old each is, and how many admissions it has.
func (s *shard) encode(part []byte, e *entry, t *instant) []byte {
	runs := s.runs(e)
	e.expire(runs, t.now)
	if e.n == 0 {
		return part
	}
	part = append(part, e.id[:]...)
	part = binary.AppendUvarint(part, uint64(e.n))
	for i := range int(e.n) {
		r := runs[e.at(runs, i)]
		part = binary.AppendUvarint(part, ageOf(r.at, t.now))
		part = binary.AppendUvarint(part, uint64(r.n))
	}
	return part
}

// ageOf is how old a run is. One that lies ahead, because its units were lent, is told as a minute and the time until
// then: older runs are told of none. One of the present millisecond, whose stamp was rounded up, is as of now.
func ageOf(at, now uint32) uint64 {
	age := since(at, now)
	if age < -1 {
		return uint64(minute - int64(age))
	}
	return uint64(max(0, age))
}

var errWindows = errors.New("not the windows of a limiter")

// Restore takes in a part that Windows wrote, aged by the time that has passed on the wall clock. Where that was set
// back, the windows are as they were. It is for a limiter that was not asked yet.
func (l *Limiter) Restore(part []byte) error {
	if len(part) < 9 || part[0] != windowsVersion {
		return errWindows
	}
	t := l.timer.instant()
	away := max(0, t.wall-int64(binary.BigEndian.Uint64(part[1:])))
	if away >= minute {
		return nil
	}
	d := decoder{rest: part[9:]}
	for len(d.rest) > 0 && !d.broken {
		if len(d.rest) < 16 {
			return errWindows
		}
		id := [16]byte(d.rest[:16])
		d.rest = d.rest[16:]
		n := d.number()
		if n > uint64(ringSize(classes-1)) {
			return errWindows
		}
		runs := make([]run, 0, n)
		for range n {
			age, count := d.number(), d.number()
			old := away + int64(min(age, 2*minute))
			if age >= minute {
				old = away - int64(min(age, 2*minute)-minute)
			}
			if old < minute && count <= Max {
				runs = append(runs, run{t.stamp - uint32(old), uint32(count)})
			}
		}
		if !d.broken && len(runs) > 0 {
			l.restore(&id, runs)
		}
	}
	if d.broken {
		return errWindows
	}
	return nil
}

func (l *Limiter) restore(id *[16]byte, runs []run) {
	h := spread(id)
	sh := &l.shards[h>>(64-shardBits)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.find(h, id) != nil {
		return
	}
	e := sh.insert(h, id)
	into := e.inline[:]
	if len(runs) > inlineRuns {
		into = sh.ringFor(e, len(runs))
	}
	for i := range copy(into, runs) {
		e.used += runs[i].n
	}
	e.n = uint16(len(runs))
}

// decoder reads numbers until something is wrong.
type decoder struct {
	rest   []byte
	broken bool
}

func (d *decoder) number() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.broken, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}
