package replica_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/replica"
)

// come has n members come and go, each with a role and keys of their own; keys stay until the end.
func come(r *replica.Replica, n, keys int) {
	for i := range n {
		user, held := id.User(fmt.Sprintf("user-%d@example.com", i)), id.Role(fmt.Sprintf("role-%d", i))
		revision := int64(10 + 10*i)
		r.Apply(at(revision, role("w", held), member("w", user, held)))
		for k := range keys {
			r.Apply(at(revision+1+int64(k), key("w", user, fmt.Sprint(i, " of ", k))))
		}
		r.Apply(at(revision+5, memberGone("w", user), feed.Change{RoleGone: held}))
	}
}

// Not parallel: it measures the heap.
func TestMembersAndRolesThatLeftTakeNoMemoryT44(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	const n = 50_000
	r := house()
	come(r, n, 0) // the maps keep the room that they have needed once
	r.Sweep(r.Revision())
	before := heap()
	for range 3 {
		come(r, n, 0)
		revision := r.Revision()
		r.Apply(at(revision+1, workspace("w")))
		if swept := r.Sweep(r.Revision()); swept > 2*n {
			t.Errorf("%d were let go of %d", swept, 2*n)
		}
	}
	if more := heap() - before; more > 16*n {
		t.Errorf("%d bytes more for each pair that came and went", more/n)
	}
	runtime.KeepAlive(r)
}

// A member who has left is kept in memory for the last of their keys, and no longer.
func TestAMemberWhoLeftIsKnownWhileAKeyNamesThemT44(t *testing.T) {
	t.Parallel()
	r := house()
	come(r, 1, 2)
	top := r.Revision()
	if n := r.Sweep(top); n != 1 {
		t.Errorf("%d were let go, want the role alone", n)
	}
	if v := find(t, r, "0 of 0"); v.CreatorPresent || v.User != "user-0@example.com" {
		t.Errorf("%+v", v)
	}
	r.Apply(at(top+1, keyGone("0 of 0")))
	r.Apply(at(top+2, key("w", "ann", "0 of 1"))) // handed to another
	if n := r.Sweep(top + 2); n != 2 {
		t.Errorf("%d were let go, want the member and the mark of a key", n)
	}
	r.Apply(at(top+3, member("w", "user-0@example.com", "r"), key("w", "user-0@example.com", "anew")))
	if v := find(t, r, "anew"); !v.CreatorPresent {
		t.Error("a member who came back is none")
	}
	if v := find(t, r, "0 of 1"); v.User != "ann" || !v.CreatorPresent {
		t.Errorf("%+v", v)
	}
}

// A key that changes and keeps its text shares that with the version before: nothing of it is given back.
func TestATextThatStaysTheSameStays(t *testing.T) {
	t.Parallel()
	r := house()
	long := strings.Repeat("x", 1000)
	named := func(k *apikey.Key) { k.Name = long }
	r.Apply(at(2, key("w", "ann", "k", named)))
	for i := range int64(3000) { // more than the arena has room for in a few chunks
		r.Apply(at(3+2*i, key("w", "ann", "k", named, func(k *apikey.Key) { k.IsActive = i%2 == 0 })))
		r.Apply(at(4+2*i, key("w", "ann", fmt.Sprint("other ", i), named)))
	}
	found := make(chan int)
	go func() { // a lookup waits for a text that is not there
		n := 0
		for i := range 3000 {
			var v replica.View
			if r.Lookup(sum(fmt.Sprint("other ", i)), &v) && v.Name == long {
				n++
			}
		}
		found <- n
	}()
	select {
	case n := <-found:
		if n != 3000 {
			t.Errorf("%d of 3000 keys have their names", n)
		}
	case <-time.After(20 * time.Second):
		t.Error("the text of a key beside one that was switched on and off is gone")
	}
}

// The mark of an earlier deletion does not stand for the later one.
func TestT27AKeyThatWasDeletedTwiceIsForgottenByItsLastMark(t *testing.T) {
	t.Parallel()
	r := house()
	r.Apply(at(13, key("w", "ann", "k")))
	r.Apply(at(15, keyGone("k")))
	r.Apply(at(17, key("w", "ann", "k")))
	r.Apply(at(19, keyGone("k")))
	r.Sweep(16)
	r.Apply(at(18, key("w", "ann", "k")))
	if finds(r, "k") {
		t.Error("a change from before the second deletion brought the key back")
	}
}
