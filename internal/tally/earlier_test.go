package tally_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/verify"
)

// The use of a value from before a rotation is known at once, and after it was written; uses of the new value, and
// refusals, do not count as such.
func TestTheUseOfAnEarlierValueIsNoted(t *testing.T) {
	t.Parallel()
	b := newBench(t, 100)
	key, until := b.key(), noon.Add(time.Hour)
	name := id.Key(id.Format(key))
	b.update(func(tx *store.Tx) error {
		k, err := tx.Key(name)
		if err != nil {
			return err
		}
		k.Rotate(apikey.Value{Digest: keyfmt.Stored{Pepper: keyfmt.NoPepper, Sum: keyfmt.Digest{9}}}, noon, time.Hour)
		return tx.UpdateKey(k)
	})
	ip := netip.MustParseAddr("::ffff:203.0.113.77")
	use := func(code verify.Code, until, at time.Time) {
		v := verify.Verdict{Code: code, Key: replica.View{UUID: key, Workspace: b.ws}}
		if !until.IsZero() {
			v.Key.Until = until.UnixMilli()
		}
		b.Record(at.UnixMilli(), perm.Demand{}, &v)
		if v.Key.Until != 0 && code == verify.Valid { // as the engine does
			b.RecordEarlier(at.UnixMilli(), key, v.Key.Until, ip)
		}
	}
	stored := func() (at time.Time, from string) {
		if err := b.db.View(context.Background(), func(v *store.View) error {
			k, err := v.Key(name)
			at, from = k.Previous[0].LastUsedAt, k.Previous[0].LastUsedFrom
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return at, from
	}
	told := func(what string, inMemory, inStore time.Time, network string) {
		t.Helper()
		var ms int64
		if !inMemory.IsZero() {
			ms = inMemory.UnixMilli()
		}
		at, from := b.EarlierUsed(key, until.UnixMilli())
		was, wasFrom := stored()
		if at != ms || (from != network && ms != 0) || !was.Equal(inStore) || (wasFrom != network && !inStore.IsZero()) {
			t.Errorf("%s: memory says %d from %q, the store %v from %q", what, at, from, was, wasFrom)
		}
	}

	use(verify.Valid, time.Time{}, noon.Add(time.Minute))
	use(verify.Disabled, until, noon.Add(time.Minute))
	told("a use of the new value, and a refusal", time.Time{}, time.Time{}, "")
	at := noon.Add(2 * time.Minute)
	use(verify.Valid, until, at)
	use(verify.Valid, until, at.Add(-time.Second))
	told("a use", at, time.Time{}, "203.0.113.0/24")
	b.gate.shut.Store(true)
	if err := b.Flush(context.Background()); err == nil {
		t.Error("what cannot be written is told as written")
	}
	b.gate.shut.Store(false)
	b.flush()
	told("a flush", at, at, "203.0.113.0/24")
	// A use that comes after the one that was written is written, too; so is one of the same instant from elsewhere.
	again := at.Add(time.Minute)
	use(verify.Valid, until, again)
	b.flush()
	told("another use", again, again, "203.0.113.0/24")
	ip = netip.MustParseAddr("2001:db8:1:2::3")
	use(verify.Valid, until, again)
	b.flush()
	told("from elsewhere", again, again, "2001:db8:1::/48")
	ip = netip.Addr{}
	use(verify.Valid, until, again.Add(time.Second))
	b.flush()
	told("without an address", again.Add(time.Second), again.Add(time.Second), "2001:db8:1::/48")
	b.flush()
	told("kept for ever", time.Time{}, again.Add(time.Second), "2001:db8:1::/48")
}
