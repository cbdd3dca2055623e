package tally_test

import (
	"context"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
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
	use := func(code verify.Code, until, at time.Time) {
		v := verify.Verdict{Code: code, Key: replica.View{UUID: key, Workspace: b.ws}}
		if !until.IsZero() {
			v.Key.Until = until.UnixMilli()
		}
		b.Record(at.UnixMilli(), &v)
	}
	stored := func() (at time.Time) {
		if err := b.db.View(context.Background(), func(v *store.View) error {
			k, err := v.Key(name)
			at = k.Previous[0].LastUsedAt
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return at
	}
	memory := func() int64 { return b.EarlierUsed(key, until.UnixMilli()) }

	use(verify.Valid, time.Time{}, noon.Add(time.Minute))
	use(verify.Disabled, until, noon.Add(time.Minute))
	if memory() != 0 {
		t.Error("a use of the new value, or a refusal, is told as one of the old")
	}
	at := noon.Add(2 * time.Minute)
	use(verify.Valid, until, at)
	use(verify.Valid, until, at.Add(-time.Second))
	if memory() != at.UnixMilli() || !stored().IsZero() {
		t.Errorf("memory says %d, the store %v", memory(), stored())
	}
	b.gate.shut.Store(true)
	if err := b.Flush(context.Background()); err == nil {
		t.Error("what cannot be written is told as written")
	}
	b.gate.shut.Store(false)
	b.flush()
	if memory() != at.UnixMilli() || !stored().Equal(at) {
		t.Errorf("after a flush memory says %d, the store %v", memory(), stored())
	}
	// A use that comes after the one that was written is written, too.
	again := at.Add(time.Minute)
	use(verify.Valid, until, again)
	b.flush()
	if memory() != again.UnixMilli() || !stored().Equal(again) {
		t.Errorf("after another use memory says %d, the store %v, want %v", memory(), stored(), again)
	}
	b.flush()
	if memory() != 0 {
		t.Error("what is written is kept for ever")
	}
}
