package verify_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/verify"
)

const stranger = "a-value-of-another-system"

// imported gives the bench's key the value of another system.
func (b *bench) imported(rehash bool) apikey.Key {
	b.t.Helper()
	var kept apikey.Key
	sum := sha512.Sum512([]byte(stranger))
	stored, err := b.digester.Imported(keyfmt.SHA512, "", sum[:])
	if err != nil {
		b.t.Fatal(err)
	}
	stored.Pepper = stored.Pepper.WithRehash(rehash)
	b.key(func(k *apikey.Key) { k.Value.Digest, kept = stored, *k; kept.Value.Digest = stored })
	return kept
}

func TestT99AForeignValueIsLookedForOnlyWhereThereAreSome(t *testing.T) {
	t.Parallel()
	for _, pepper := range []string{"", "a pepper"} {
		b := newBench(t, pepper)
		code := func() verify.Code { return b.check(verify.Question{Key: stranger}).Code }
		if got := code(); got != verify.Malformed {
			t.Errorf("before: %s", got)
		}
		k := b.imported(false)
		if got := code(); got != verify.Valid {
			t.Errorf("imported: %s", got)
		}
		if got := b.check(verify.Question{Key: stranger + "x"}).Code; got != verify.NotFound {
			t.Errorf("another: %s", got)
		}
		if got := b.check(verify.Question{Key: "kw_live_with-our-prefix"}).Code; got != verify.Malformed {
			t.Errorf("with our prefix: %s", got)
		}
		k.Rotate(apikey.Value{Digest: b.digester.Store(b.mint(keyfmt.Live))}, noon, time.Hour)
		b.apply(feed.Change{Key: &k})
		if got := code(); got != verify.Valid {
			t.Errorf("in its overlap: %s", got)
		}
		k.Previous = nil
		b.apply(feed.Change{Key: &k})
		if got := code(); got != verify.Malformed {
			t.Errorf("rotated away: %s", got)
		}
		b.imported(false)
		b.replica.Fence()
		if got := code(); got != verify.Unavailable {
			t.Errorf("fenced: %s", got)
		}
	}
}

// A node that lacks a secret cannot say that a value is not there.
func TestT99AKindWithoutItsSecretIsNoAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.key(func(k *apikey.Key) {
		k.Value.Digest = keyfmt.Stored{Pepper: "foreign:hmac-sha256:crm:0011", Sum: sha256.Sum256(nil)}
	})
	if got := b.check(verify.Question{Key: stranger}).Code; got != verify.Unavailable {
		t.Error(got)
	}
}

func TestT99AForeignValueCostsNoAllocation(t *testing.T) {
	b := newBench(t)
	b.imported(true)
	var v verify.Verdict
	for _, key := range []string{stranger, stranger + "-unknown"} {
		q := verify.Question{Key: key}
		if n := testing.AllocsPerRun(200, func() { b.engine.Check(&q, &v) }); n != 0 {
			t.Errorf("%s allocates %v times", v.Code, n)
		}
	}
}

// A value whose digest is replaced by our own is valid at every instant, though the engine looks for the one and then
// for the other.
func TestT99ARehashIsSeenByNoReader(t *testing.T) {
	t.Parallel()
	for range 50 {
		b := newBench(t, "a pepper")
		after := b.imported(true)
		after.Value.Digest = b.digester.StoreForeign(stranger)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for range 500 {
					var v verify.Verdict
					b.engine.Check(&verify.Question{Key: stranger}, &v)
					if v.Code != verify.Valid {
						t.Errorf("in between: %s", v.Code)
						return
					}
				}
			})
		}
		b.apply(feed.Change{Key: &after})
		wg.Wait()
	}
}

// Kinds come and go for as long as a process runs, and none of them stays or is lost.
func TestT99KindsThatAreNotInUseMakeRoom(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	k := b.imported(false)
	for i := range 40 {
		name := "secret-" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		b.digester.AddImportSecret(name, []byte(name))
		sum := sha256.Sum256([]byte(name))
		stored, err := b.digester.Imported(keyfmt.HMACSHA256, name, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		k.Value.Digest = stored
		b.apply(feed.Change{Key: &k})
		if used := b.replica.Foreign(); used == nil || len(*used) != 1 || (*used)[0] != stored.Pepper {
			t.Fatalf("kind %d: in use are %v", i, used)
		}
	}
	b.apply(feed.Change{KeyGone: k.ID})
	if used := b.replica.Foreign(); used != nil {
		t.Errorf("in the end: %v", *used)
	}
}
