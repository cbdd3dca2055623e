package replica_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
)

// tellAll tells changes as a source does, which uses one key for all.
func tellAll(changes []feed.Change, tell func(feed.Change) error) error {
	var again apikey.Key
	for _, c := range changes {
		if c.Key != nil {
			again = *c.Key
			c.Key = &again
		}
		if err := tell(c); err != nil {
			return err
		}
		again = apikey.Key{}
	}
	return nil
}

// loadOf is a load of more than a batch, with keys of every kind among those that are alike.
func loadOf() (changes []feed.Change) {
	changes = whole()
	w := changes[0].Workspace.ID
	for i := range 200 {
		word := fmt.Sprint("key ", i)
		changes = append(changes, key(w, "bob", word, func(k *apikey.Key) {
			k.Permissions = set([]string{"calls:read", "agents:read"}[i/50%2])
			switch i % 7 {
			case 1:
				previous("before "+word, time.UnixMilli(int64(i)))(k)
			case 2:
				withSecond("now")(k)
			case 3:
				k.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
			case 4:
				previous("before "+word, time.UnixMilli(int64(i)))(k)
				withSecond("now")(k)
			case 5:
				k.User, k.Metadata = "ann", fmt.Sprintf(`{"n":%d}`, i)
			case 6:
				k.Value.Digest.Pepper = keyfmt.PepperID(fmt.Sprint("foreign:sha256:", i%3))
			}
		}))
	}
	nameless := key(w, "bob", "nameless")
	nameless.Key.ID = "no id"
	again := key(w, "ann", "key 8", value("told again"))
	late := at(5, key(w, "bob", "late", previous("earlier", time.UnixMilli(9))))
	changes = append(changes, nameless, again, late[0], keyGone("key 9"), key(w, "bob", "key 9", value("after its end")))
	return append(changes, keyGone("key 10"), key(w, "bob", "last"))
}

func TestALoadMakesTheCopyThatApplyMakes(t *testing.T) {
	t.Parallel()
	equal := cmp.Options{
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b perm.Set) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	}
	for _, reserved := range []int64{0, 1000} {
		one, other := replica.New(), replica.New()
		for _, r := range []*replica.Replica{one, other} {
			r.KeepSecond([]keyfmt.PepperID{"now"})
		}
		changes := loadOf()
		for i := range changes {
			one.Apply(changes[i : i+1])
		}
		other.Reserve(reserved)
		if err := other.Load(func(tell func(feed.Change) error) error { return tellAll(changes, tell) }); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(told(t, one), told(t, other), equal); d != "" {
			t.Errorf("with room for %d (-applied +loaded):\n%s", reserved, d)
		}
		for _, word := range []string{"before key 1", "before key 4", "told again", "after its end", "earlier", "last"} {
			if !finds(other, word) {
				t.Errorf("%q is not found", word)
			}
		}
		for _, word := range []string{"nameless", "key 8", "key 10"} {
			if finds(other, word) {
				t.Errorf("%q is found", word)
			}
		}
		if one.Size() != other.Size() || one.Revision() != other.Revision() {
			t.Errorf("%d keys at %d, want %d at %d", other.Size(), other.Revision(), one.Size(), one.Revision())
		}
	}
}

// A key that is loaded is there at once and whole: by its id not later than by its value.
func TestReadersOfALoadSeeEachKeyWhole(t *testing.T) {
	t.Parallel()
	const keys = 5_000
	r := replica.New()
	r.Reserve(keys / 2)
	var seen [readers]int
	whileReading(t, func(reader int) error {
		word := fmt.Sprint(seen[reader])
		var v, byID replica.View
		if r.LookupID(uuid(word), &byID) && byID.Name != "key "+word {
			return fmt.Errorf("by its id the key %s has the name %q", word, byID.Name)
		}
		if !r.Lookup(sum(word), &v) {
			return nil
		}
		if !r.LookupID(uuid(word), &byID) {
			return fmt.Errorf("the key %s is found by its value alone", word)
		}
		if v.Name != "key "+word || v.User != "ann" || id.Format(v.UUID) != string(keyID(word)) || v.Name != byID.Name {
			return fmt.Errorf("the key %s has the name %q, and %q by its id", word, v.Name, byID.Name)
		}
		seen[reader] = min(seen[reader]+1, keys-1)
		return nil
	}, func() {
		err := r.Load(func(tell func(feed.Change) error) error {
			err := tell(workspace("w"))
			for i := range keys {
				err = errors.Join(err, tell(key("w", "ann", fmt.Sprint(i))))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	if r.Size() != keys {
		t.Errorf("%d keys, want %d", r.Size(), keys)
	}
}
