package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

// LoadAll tells f every live object on one snapshot: workspaces, roles, members, service keys, settlements that are
// not done, then keys with those of their earlier values that still work. Of a key it tells the fields that a
// verification needs, and leaves out the description, the masked value, the pepper of native values, and all times
// but the expiry. It streams; the first error of f ends it.
func (db *DB) LoadAll(ctx context.Context, f func(feed.Change) error) error {
	return db.View(ctx, func(v *View) error { return v.load(f) })
}

// Keys is about how many keys a load tells. It reads the counters of members, never the keys.
func (db *DB) Keys(ctx context.Context) (keys int64, err error) {
	err = db.View(ctx, func(v *View) error {
		keys, err = v.keys()
		return err
	})
	return keys, err
}

func (v *View) keys() (int64, error) {
	return one(v, scanInt, `SELECT CAST(coalesce(sum(key_count), 0) AS BIGINT) FROM members`)
}

// LoadShared is LoadAll on the primary, with the cursor at which the snapshot stands, for the reader that is told of
// this process's own changes. On a database that several nodes share it takes one of so many places, and answers false
// where all are taken: nodes that start together do not read everything at once.
func (db *DB) LoadShared(ctx context.Context, places int, f func(feed.Change) error) (at Cursor, ok bool, err error) {
	return db.loadOwn(ctx, places, nil, f)
}

func (db *DB) loadOwn(
	ctx context.Context, places int, expect func(keys int64), f func(feed.Change) error,
) (at Cursor, ok bool, err error) {
	own := db.written.Load()
	at, ok, err = db.loadAt(ctx, places, expect, f)
	if err == nil && ok {
		db.written.CompareAndSwap(own, nil) // whatever became of it, the reader has the present state now
	}
	return at, ok, err
}

// loadAt tells expect about how many keys it will tell, unless expect is nil, before it tells f anything.
func (db *DB) loadAt(
	ctx context.Context, places int, expect func(keys int64), f func(feed.Change) error,
) (at Cursor, ok bool, err error) {
	err = db.follow(ctx, func(v *View) error {
		if ok, err = v.takeSlot(places); err != nil || !ok {
			return err
		}
		c, err := v.state(Cursor{})
		if err != nil {
			return err
		}
		at = c.Cursor
		if expect != nil {
			n, err := v.keys()
			if err != nil {
				return err
			}
			expect(n)
		}
		return v.load(f)
	})
	return at, ok, err
}

// takeSlot takes one of so many places of a shared database, and has its statements take the time that they need.
func (v *View) takeSlot(places int) (bool, error) {
	shared := v.db.shared
	if shared == nil {
		return true, nil
	}
	ok, err := shared.TakeSlot(v.ctx, v.q, places)
	if err != nil || !ok {
		return ok, err
	}
	return true, shared.Unhurried(v.ctx, v.q)
}

func (v *View) load(f func(feed.Change) error) error {
	l := loader{View: v, tell: f, live: make(map[id.Workspace]bool)}
	for _, load := range []func() error{l.workspaces, l.roles, l.members, l.serviceKeys, l.settlements, l.keys} {
		if err := load(); err != nil {
			return err
		}
	}
	return nil
}

type loader struct {
	*View
	tell func(feed.Change) error
	live map[id.Workspace]bool
}

// loadPage is how many rows a driver that keeps whole answers is asked for at once.
const loadPage = 5000

// paged reads a big table. A driver that streams is asked once; one that does not, page by page in the order of the
// key, which is one column or two. The query ends with its conditions.
func paged[T any](
	l *loader, scan func(Rows) (T, error), query, joiner string, key []string, last func(*T) []any, f func(T) error,
) error {
	columns := strings.Join(key, ", ")
	if l.db.shared == nil {
		return each(l.View, scan, f, query)
	}
	after := make([]any, len(key))
	for i := range after {
		after[i] = ""
	}
	for n := loadPage; n == loadPage; {
		n = 0
		err := each(l.View, scan, func(t T) error {
			n++
			after = last(&t)
			return f(t)
		}, query+joiner+` (`+columns+`) > (`+places("?", len(key))+`) ORDER BY `+columns+` LIMIT ?`, append(after,
			loadPage)...)
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) workspaces() error {
	return each(l.View, scanWorkspace, func(w account.Workspace) error {
		l.live[w.ID] = true
		return l.tell(feed.Change{Workspace: &w})
	}, selectWorkspaces+` WHERE deleted_ms = 0 ORDER BY id`)
}

func (l *loader) roles() error {
	return paged(l, l.scanRole, selectRoles, ` WHERE`, []string{"id"}, func(r *account.Role) []any { return []any{r.ID} },
		func(r account.Role) error {
			if !l.live[r.Workspace] {
				return nil
			}
			return l.tell(feed.Change{Role: &r})
		})
}

func (l *loader) members() error {
	return paged(l, scanMember, selectMembers+` WHERE left_ms = 0`, ` AND`, []string{"workspace_id", "user_id"},
		func(m *account.Member) []any { return []any{m.Workspace, m.User} }, func(m account.Member) error {
			if !l.live[m.Workspace] {
				return nil
			}
			return l.tell(feed.Change{Member: &m})
		})
}

func (l *loader) serviceKeys() error {
	return each(l.View, scanServiceKey, func(k account.ServiceKey) error {
		return l.tell(feed.Change{ServiceKey: &k})
	}, selectServiceKeys+` ORDER BY id`)
}

// settlements are told before the keys that they cover.
func (l *loader) settlements() error {
	return each(l.View, l.scanSettlement, func(s apikey.Settlement) error {
		if !l.live[s.Workspace] {
			return nil
		}
		return l.tell(feed.Change{Settlement: &s})
	}, selectSettlements+` WHERE done_ms = 0 ORDER BY workspace_id, user_id, period`)
}

// keys reads the earlier values first: they are few, and live for a week at most.
func (l *loader) keys() error {
	earlier := make(map[id.Key][]apikey.Value)
	err := each(l.View, scanPrevious, func(p previous) error {
		earlier[p.key] = append(earlier[p.key], p.Value)
		return nil
	}, selectPrevious+` WHERE until_ms > ? ORDER BY key_id, position`, millis(l.Floor()))
	if err != nil {
		return err
	}
	return paged(l, l.scanLoaded, selectLoaded, ` WHERE`, []string{"id"}, func(k *apikey.Key) []any { return []any{k.ID} },
		func(k apikey.Key) error {
			if !l.live[k.Workspace] {
				return nil
			}
			k.Previous = earlier[k.ID]
			return l.tell(feed.Change{Key: &k})
		})
}

// foreignPepper is the pepper of a key with a foreign value, by which it is to be looked for.
const foreignPepper = `CASE WHEN pepper LIKE 'foreign:%' THEN pepper ELSE '' END`

// Reading a column costs more than reading the row, so a start reads five columns instead of sixteen: short values go
// into one number, and the texts into one, behind each other.
var selectLoaded = `SELECT ` + together(
	"id", "workspace_id", "user_id", "environment", "allowed_ips", foreignPepper, "second_digest",
	"name", "metadata",
) + `,
	((((period * 4294967296 + set_id) * 2 + is_active) * 2 + is_revoked) * 2) + is_orphan, per_minute * 4294967296 + per_day, expires_ms, digest FROM api_keys`

func (l *loader) scanLoaded(r Rows) (k apikey.Key, err error) {
	var texts string
	var flags, limits, expires int64
	var digest []byte
	if err = r.Scan(&texts, &flags, &limits, &expires, &digest); err != nil {
		return k, err
	}
	part := func() (p string) {
		p, texts, _ = strings.Cut(texts, separator)
		return p
	}
	k.ID, k.Workspace, k.User = id.Key(part()), id.Workspace(part()), id.User(part())
	k.Environment = keyfmt.Environment(part())
	if k.AllowedIPs, err = parsePrefixes(part()); err != nil {
		return k, fmt.Errorf("key %s: %w", k.ID, err)
	}
	k.Value.Digest.Pepper = keyfmt.PepperID(part())
	second := part()
	k.Name, k.Metadata = part(), texts
	k.IsActive, k.Revoked, k.Orphan = flags&4 != 0, flags&2 != 0, flags&1 != 0
	k.Limits.PerMinute, k.Limits.PerDay = limits>>32, limits&(1<<32-1)
	k.ExpiresAt = fromMillis(expires)
	copy(k.Value.Digest.Sum[:], digest)
	if k.Value.Second, err = readSecond(second, &k.Value.Digest.Sum); err != nil {
		return k, fmt.Errorf("key %s: %w", k.ID, err)
	}
	k.Period = flags >> 35
	k.Permissions, err = l.set(flags >> 3 & (1<<32 - 1))
	return k, err
}
