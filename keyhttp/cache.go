package keyhttp

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"github.com/keyward/keyward"
)

// cache holds answers VALID on keys without limits, for a while. See WithCache.
type cache struct {
	maxAge time.Duration
	most   int

	mu      sync.Mutex
	entries map[[sha256.Size]byte]entry
}

type entry struct {
	verdict keyward.Verdict
	until   time.Time
}

func newCache(maxAge time.Duration, most int) *cache {
	return &cache{maxAge: maxAge, most: most, entries: make(map[[sha256.Size]byte]entry)}
}

// digest is of the key and of all that was asked of it.
func digest(req keyward.VerifyRequest) (d [sha256.Size]byte) {
	h := sha256.New()
	add := func(texts ...string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(texts)))
		h.Write(n[:])
		for _, s := range texts {
			binary.BigEndian.PutUint64(n[:], uint64(len(s)))
			h.Write(n[:])
			h.Write([]byte(s))
		}
	}
	add(req.Key, req.IP)
	add(req.Permissions.All...)
	add(req.Permissions.Any...)
	add(string(req.Environment))
	add(req.WorkspaceIDs...)
	h.Sum(d[:0])
	return d
}

func (c *cache) get(req keyward.VerifyRequest, now time.Time) (keyward.Verdict, bool) {
	d := digest(req)
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[d]
	if !ok || !now.Before(e.until) {
		delete(c.entries, d)
		return keyward.Verdict{}, false
	}
	return e.verdict, true
}

// put keeps an answer, from the moment at which was asked, and no longer than the value lasts.
func (c *cache) put(req keyward.VerifyRequest, v keyward.Verdict, asked time.Time) {
	if !v.Valid || v.RateLimit != nil {
		return
	}
	until := asked.Add(c.maxAge)
	if ends := v.ValueExpiresAt(); ends != nil && ends.Before(until) {
		until = *ends
	}
	d := digest(req)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.entries[d]; !there && len(c.entries) >= c.most {
		c.makeRoom(asked)
	}
	c.entries[d] = entry{v, until}
}

// makeRoom drops an ended entry among a few, or else any of them.
func (c *cache) makeRoom(now time.Time) {
	looked := 0
	for d, e := range c.entries {
		if !now.Before(e.until) || looked == 8 {
			delete(c.entries, d)
			return
		}
		looked++
	}
	for d := range c.entries {
		delete(c.entries, d)
		return
	}
}
