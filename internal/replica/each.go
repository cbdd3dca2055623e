package replica

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

// ErrKinds says that the copy has more kinds of foreign digests than it tells apart: it cannot say of each value
// whether it is one of ours.
var ErrKinds = errors.New("the copy has more kinds of foreign digests than it tells apart")

// Each tells f everything in the copy, as a load does: workspaces, roles, members, service keys, settlements, and then
// keys, with revision 0. Writers wait for a batch at most, and f holds up nobody. So each object is told as it is when
// its turn comes: everything that was applied before Each is told, and of what is applied meanwhile some is. A reader
// that applies the changes after the revision that the copy had at the beginning has the present state. The first error
// of f ends it. The key that a change points to is f's until f returns: it is used again for the next one.
func (r *Replica) Each(f func(feed.Change) error) error {
	for _, part := range []func(func(feed.Change) error) error{
		r.eachWorkspace, r.eachRole, r.eachMember, r.eachService, r.eachSettlement, r.eachKey,
	} {
		if err := part(f); err != nil {
			return err
		}
	}
	return nil
}

// toldAtOnce is how many objects are read under the lock.
const toldAtOnce = 512

// under gives the values of one of the writers' maps, in the order of their names.
func under[K ~string, V any](r *Replica, all map[K]V) []V {
	type named struct {
		name K
		is   V
	}
	r.mu.Lock()
	list := make([]named, 0, len(all))
	for name, is := range all {
		list = append(list, named{name, is})
	}
	r.mu.Unlock()
	slices.SortFunc(list, func(a, b named) int { return cmp.Compare(a.name, b.name) })
	values := make([]V, len(list))
	for i := range list {
		values[i] = list[i].is
	}
	return values
}

// tellAll tells the changes that see makes of the objects, which it sees under the lock.
func tellAll[T any](r *Replica, list []T, f func(feed.Change) error, see func(T) (feed.Change, bool)) error {
	batch := make([]feed.Change, 0, toldAtOnce)
	for part := range slices.Chunk(list, toldAtOnce) {
		batch = batch[:0]
		r.mu.Lock()
		for _, one := range part {
			if c, ok := see(one); ok {
				batch = append(batch, c)
			}
		}
		r.mu.Unlock()
		for _, c := range batch {
			if err := f(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Replica) eachWorkspace(f func(feed.Change) error) error {
	return tellAll(r, under(r, r.workspaces), f, func(w *workspace) (c feed.Change, ok bool) {
		state := workspaceState(w.state.Load())
		if !w.known || w.gone || !state.exists() {
			return c, false
		}
		a := account.Workspace{ID: w.id, IsActive: state&workspaceActive != 0}
		a.Settings.PermissionMode = account.Frozen
		if state&workspaceCapped != 0 {
			a.Settings.PermissionMode = account.Capped
		}
		if state&workspacePlanned != 0 {
			a.Plan.Shared = w.plan.Load().Limits
		}
		return feed.Change{Workspace: &a}, true
	})
}

func (r *Replica) eachRole(f func(feed.Change) error) error {
	return tellAll(r, under(r, r.roles), f, func(ro *role) (c feed.Change, ok bool) {
		state := ro.state.Load()
		if state == nil || ro.place == nil || ro.place.gone {
			return c, false
		}
		return feed.Change{Role: &account.Role{ID: ro.id, Workspace: ro.place.id, Permissions: state.held}}, true
	})
}

func (r *Replica) eachMember(f func(feed.Change) error) error {
	r.mu.Lock()
	numbers := make([]uint32, r.members.next)
	r.mu.Unlock()
	for i := range numbers {
		numbers[i] = uint32(i)
	}
	return tellAll(r, numbers, f, func(number uint32) (c feed.Change, ok bool) {
		m := r.members.at(number)
		if m == nil || m.first != nil || !m.known || m.workspace.gone {
			return c, false
		}
		state := m.state.Load()
		if state == nil {
			return c, false
		}
		return feed.Change{Member: &account.Member{Workspace: m.workspace.id, User: m.user, Role: state.role.id}}, true
	})
}

func (r *Replica) eachService(f func(feed.Change) error) error {
	return tellAll(r, under(r, r.operators), f, func(n *serviceNode) (c feed.Change, ok bool) {
		return feed.Change{ServiceKey: n.key}, n.key != nil
	})
}

func (r *Replica) eachSettlement(f func(feed.Change) error) error {
	return tellAll(r, under(r, r.settlements), f, func(s *settlement) (c feed.Change, ok bool) {
		if !s.known || s.Done || s.of.workspace.gone {
			return c, false
		}
		a := s.Settlement
		return feed.Change{Settlement: &a}, true
	})
}

func (r *Replica) eachKey(f func(feed.Change) error) error {
	batch := make([]apikey.Key, 0, toldAtOnce)
	for first := uint32(nobody + 1); ; first += toldAtOnce {
		more, err := r.keysFrom(first, &batch)
		if err != nil {
			return err
		}
		for i := range batch {
			if err := f(feed.Change{Key: &batch[i]}); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// keysFrom reads a batch of records, and tells whether there may be more behind them.
func (r *Replica) keysFrom(first uint32, batch *[]apikey.Key) (more bool, err error) {
	var names strings.Builder // the ids of a batch share its memory
	names.Grow(toldAtOnce * idSize)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kinds.more) > 0 {
		return false, ErrKinds
	}
	*batch = (*batch)[:0]
	end := min(first+toldAtOnce, r.records.next)
	for number := first; number < end; number++ {
		var f fields
		r.records.at(number).peek(&f)
		if !f.has(exists) {
			continue
		}
		if m := r.members.at(f.member()); m != nil && !m.workspace.gone {
			*batch = append(*batch, apikey.Key{})
			k := &(*batch)[len(*batch)-1]
			r.unpack(k, &f, m)
			var text [idSize]byte
			names.Write(id.Append(text[:0], f.id().bytes()))
			k.ID = id.Key(names.String()[names.Len()-idSize:])
		}
	}
	return end < r.records.next, nil
}

const idSize = 36

// unpack makes the key of a record, without its id. Its texts lie in the arena.
func (r *Replica) unpack(k *apikey.Key, f *fields, m *member) {
	*k = apikey.Key{
		Workspace: m.workspace.id, User: m.user, Period: m.period,
		Environment: f.environment(), Permissions: r.sets.at(f.set()), ExpiresAt: f.expiry(), Limits: f.limits(),
		IsActive: f.has(active), Revoked: f.has(revoked), Orphan: f.has(orphan),
	}
	k.Value.Digest = keyfmt.Stored{Sum: f.digest(), Pepper: r.kinds.names[f[shapeWord]>>kindShift]}
	s := f.text()
	b, _ := text(r.arena.texts(), f)
	k.Value.Second = r.unpackSecond(&s, b, 0)
	for i := range s.previous {
		d, until := earlier(b, i)
		k.Previous = append(k.Previous, apikey.Value{
			Digest: keyfmt.Stored{Sum: *d, Pepper: r.kinds.names[kindOf(b, i)]}, Until: time.UnixMilli(until),
			Second: r.unpackSecond(&s, b, 1+i),
		})
	}
	if s.networks > 0 {
		k.AllowedIPs = f.networks(b)
	}
	b = b[s.previous*valueSize+s.networks*networkSize:]
	k.Name, k.Metadata = stringOf(b[:s.name]), stringOf(b[s.name:s.name+s.metadata])
}
