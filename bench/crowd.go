package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/replica"
)

// crowd is many keys whose values follow from their numbers, so that the values need no memory that would be looked at,
// too: a key arrives in a request, where it is at hand.
type crowd struct {
	replica *replica.Replica
	size    int
}

const (
	keyLength       = 57 // of kw_live_ and what follows
	crowdWorkspaces = 100
	crowdMembers    = 10 // in each
)

// Every key's expiry and permissions follow from its number, too.
const (
	expiredKeys = 1 << 40 // numbers from here on, of which there are a few
	fewKeys     = 1000
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// mix is splitmix64: numbers that are as good as random.
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// crowdKey writes the value of the n-th key.
func crowdKey(b *[keyLength]byte, n uint64) {
	copy(b[:], "kw_live_")
	for i := 0; i < 43; i += 8 {
		random := mix(n<<4 + uint64(i/8))
		for j := range min(8, 43-i) {
			b[8+i+j] = base62[random>>(8*j)%256%62]
		}
	}
	sum := crc32.ChecksumIEEE(b[:51])
	for i := 56; i > 50; i-- {
		b[i] = base62[sum%62]
		sum /= 62
	}
}

// uuidOf makes an id that looks like those that are made in turn.
func uuidOf(n uint64) (u [16]byte) {
	binary.BigEndian.PutUint64(u[:8], (1_700_000_000_000+n/8)<<16|0x7000|n%8)
	binary.BigEndian.PutUint64(u[8:], mix(n)>>2|1<<63)
	return u
}

func crowdWorkspace(n int) id.Workspace {
	return id.Workspace(id.Format(uuidOf(uint64(n))))
}

// newCrowd puts n keys that are good and a few that have expired into a replica, in batches, as a load does.
func newCrowd(n int, d *keyfmt.Digester) *crowd {
	c := &crowd{replica: replica.New(), size: n}
	set := perm.Builtin().Known([]string{"calls:read", "calls:write", "agents:read"})
	var changes []feed.Change
	for w := range crowdWorkspaces {
		ws, r := crowdWorkspace(w), id.Role(id.Format(uuidOf(uint64(w))))
		changes = append(changes, feed.Change{Workspace: &account.Workspace{ID: ws, IsActive: true}},
			feed.Change{Role: &account.Role{ID: r, Workspace: ws, Permissions: set}})
		for m := range crowdMembers {
			changes = append(changes, feed.Change{Member: &account.Member{Workspace: ws, User: crowdUser(m), Role: r}})
		}
	}
	add := func(i uint64, expiry time.Time) {
		var text [keyLength]byte
		crowdKey(&text, i)
		w, m := int(i%crowdWorkspaces), int(i/crowdWorkspaces%crowdMembers)
		changes = append(changes, feed.Change{Key: &apikey.Key{
			ID: id.Key(id.Format(uuidOf(i))), Workspace: crowdWorkspace(w), User: crowdUser(m), Name: fmt.Sprint("key ", i),
			Environment: keyfmt.Live, IsActive: true, Permissions: set, ExpiresAt: expiry,
			Limits: ratelimit.Limits{PerMinute: ratelimit.Max, PerDay: ratelimit.Max},
			Value:  apikey.Value{Digest: d.Store(keyfmt.NewSecret(string(text[:])))},
		}})
		if len(changes) >= batch {
			c.replica.Apply(changes)
			changes = changes[:0]
		}
	}
	for i := range uint64(n) {
		add(i, time.Time{})
	}
	for i := range uint64(fewKeys) {
		add(expiredKeys+i, time.Unix(1, 0))
	}
	c.replica.Apply(changes)
	c.replica.MarkReady()
	return c
}

func crowdUser(n int) id.User { return id.User(fmt.Sprint("u-", n)) }
