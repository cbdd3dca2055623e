package replica_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/replica"
)

// long makes a text that names its owner, and is long enough for a few keys to fill a chunk.
func long(word string, n int) string { return strings.Repeat(word+" ", n) }

func TestTextsThatAreReplacedGiveTheirMemoryBackAndOthersStay(t *testing.T) {
	t.Parallel()
	r := house()
	const keys, rounds = 200, 40
	write := func(round, i int) feed.Change {
		return key("w", "ann", fmt.Sprint(i), func(k *apikey.Key) {
			k.Name, k.Metadata = fmt.Sprint("key ", i, " of ", round), long(fmt.Sprint(i, "/", round), 100+i)
		}, previous(fmt.Sprint("earlier ", i), time.UnixMilli(int64(1+round))))
	}
	revision := int64(1)
	for round := range rounds {
		for i := range keys {
			revision++
			if round == 0 || i%10 != 0 { // every tenth is written once, and lies between what is replaced
				r.Apply(at(revision, write(round, i)))
			}
		}
		r.Sweep(revision)
	}
	for i := range keys {
		round := rounds - 1
		if i%10 == 0 {
			round = 0
		}
		v := find(t, r, fmt.Sprint(i))
		if want := fmt.Sprint("key ", i, " of ", round); v.Name != want ||
			v.Metadata != long(fmt.Sprint(i, "/", round), 100+i) {
			t.Fatalf("%q has the name %q and %d bytes of metadata", want, v.Name, len(v.Metadata))
		}
		if e := find(t, r, fmt.Sprint("earlier ", i)); e.Until != int64(1+round) {
			t.Fatalf("an earlier value ends at %d", e.Until)
		}
	}
	var used int64
	for i := range keys {
		used += int64(len(find(t, r, fmt.Sprint(i)).Metadata))
	}
	if m := r.Memory(); m.Texts > 2*used+1<<19 {
		t.Errorf("%d bytes are held for %d of text", m.Texts, used)
	}
}

func TestStringsOfAViewOutliveTheirKey(t *testing.T) {
	t.Parallel()
	r := house()
	r.Apply(at(2, key("w", "ann", "long", func(k *apikey.Key) { k.Metadata = long("long", 1000) })))
	v := find(t, r, "long")
	for n := int64(3); n < 300; n++ {
		r.Apply(at(n, key("w", "ann", "long", func(k *apikey.Key) { k.Metadata = long(fmt.Sprint(n), 1000) })))
		r.Sweep(n)
	}
	r.Apply(at(300, keyGone("long")))
	r.Sweep(300)
	if v.Metadata != long("long", 1000) || v.Name != "key long" {
		t.Error("a view that is held has changed")
	}
}

// A text that is moved, replaced, or dropped is never seen in pieces, nor another key's in its place.
func TestReadersSeeWholeTextsWhileTheyAreMoved(t *testing.T) {
	t.Parallel()
	r := house()
	const keys = 30
	write := func(i, round int) feed.Change {
		word := fmt.Sprint(i)
		return key(
			"w", "ann", word, func(k *apikey.Key) { k.Name, k.Metadata = word, long(fmt.Sprint(word, "/", round), 300) },
			previous("earlier "+word, time.UnixMilli(int64(1+i))),
		)
	}
	for i := range keys {
		r.Apply(at(2, write(i, 0)))
	}
	var words, olds [keys]keyfmt.Digest
	for i := range keys {
		words[i], olds[i] = sum(fmt.Sprint(i)), sum(fmt.Sprint("earlier ", i))
	}
	whileReading(t, func(int) error {
		for i := range keys {
			var v, e replica.View
			if !r.Lookup(words[i], &v) || !r.Lookup(olds[i], &e) || e.Until != int64(1+i) {
				return fmt.Errorf("key %d, or its earlier value, was not found", i)
			}
			word, _, _ := strings.Cut(v.Metadata, " ")
			if v.Name != fmt.Sprint(i) || !strings.HasPrefix(word, v.Name+"/") || v.Metadata != long(word, 300) {
				return fmt.Errorf("key %d has the name %q and metadata of %q", i, v.Name, word)
			}
		}
		return nil
	}, func() {
		for round := range 300 {
			for i := range keys {
				if i%7 != 0 {
					r.Apply(at(int64(3+round), write(i, round)))
				}
			}
			r.Sweep(int64(3 + round))
		}
	})
}

// Records are given to other keys, and members' numbers to other members: no reader sees one in the place of the
// other.
func TestReadersNeverTakeOneKeyForAnotherWhileRecordsAreGivenAgain(t *testing.T) {
	t.Parallel()
	r := house()
	const keys = 50
	place := func(round int) id.Workspace { return id.Workspace(fmt.Sprint("place ", round)) }
	fill := func(round int) []feed.Change {
		changes := []feed.Change{workspace(place(round))}
		for i := range keys {
			user := id.User(fmt.Sprint("user ", round, "/", i%5))
			changes = append(
				changes,
				key(place(round), user, fmt.Sprint(round, "/", i), value(fmt.Sprint(i)), func(k *apikey.Key) {
					k.Metadata = string(user)
				}),
			)
		}
		return changes
	}
	r.Apply(at(2, fill(0)...))
	whileReading(t, func(int) error {
		for i := range keys {
			var v replica.View
			if !r.Lookup(sum(fmt.Sprint(i)), &v) {
				continue
			}
			round, _, _ := strings.Cut(strings.TrimPrefix(v.Metadata, "user "), "/")
			if v.Name != fmt.Sprint("key ", round, "/", i) || string(v.User) != v.Metadata ||
				string(v.Workspace) != "place "+round ||
				v.UUID != uuid(fmt.Sprint(round, "/", i)) {
				return fmt.Errorf("value %d: %q of %q in %q says %q", i, v.Name, v.User, v.Workspace, v.Metadata)
			}
		}
		return nil
	}, func() {
		revision := int64(2)
		for round := 1; round < 150; round++ {
			revision++
			r.Apply(at(revision, feed.Change{WorkspaceGone: place(round - 1)}))
			if round%2 == 0 {
				r.Sweep(revision)
			}
			revision++
			r.Apply(at(revision, fill(round)...))
			r.Sweep(revision)
		}
	})
	if r.Size() != keys+1 {
		t.Errorf("%d keys are left", r.Size())
	}
}

func TestTheTextOfAKeyMayBeLongerThanAChunk(t *testing.T) {
	t.Parallel()
	r := house()
	var edits []func(*apikey.Key)
	for i := range 2000 {
		edits = append(edits, previous(fmt.Sprint("earlier ", i), time.UnixMilli(int64(1+i))))
	}
	r.Apply(at(2, key("w", "ann", "often rotated", edits...)))
	r.Apply(at(3, key("w", "ann", "next")))
	for _, i := range []int{0, 1500, 1999} {
		if v := find(t, r, fmt.Sprint("earlier ", i)); v.Until != int64(1+i) || v.Name != "key often rotated" {
			t.Errorf("earlier value %d: %q until %d", i, v.Name, v.Until)
		}
	}
	r.Apply(at(4, keyGone("often rotated")))
	if finds(r, "earlier 1500") || !finds(r, "next") {
		t.Error("the key that went took the wrong values along")
	}
}

func TestALoadAppliesAllThatIsToldAndSaysWhatWentWrong(t *testing.T) {
	t.Parallel()
	r, broken := replica.New(), errors.New("the disk is gone")
	const n = 5000
	err := r.Load(func(tell func(feed.Change) error) error {
		if err := tell(workspace("w")); err != nil {
			return err
		}
		for i := range n {
			if err := tell(key("w", "ann", fmt.Sprint(i))); err != nil {
				return err
			}
		}
		return broken
	})
	if !errors.Is(err, broken) || r.Size() != n || !finds(r, "0") || !finds(r, fmt.Sprint(n-1)) {
		t.Errorf("%v, and %d keys", err, r.Size())
	}
}
