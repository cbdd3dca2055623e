package sqlite_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// The write-ahead log: a head, and frames of one page each (https://www.sqlite.org/fileformat2.html#walformat).
const (
	walHead  = 32
	walFrame = 24 + 4096
)

// crash is the content of the disk when the power fails: the file as it was, and of the log the synced part and some
// of the rest.
type crash struct {
	name string
	wal  []byte
}

// crashes are ways in which a disk can lose writes after the first synced bytes of a log, up to the next sync: it has
// a part of them, to a frame's edge or not, or has lost one write in the middle and kept later ones.
func crashes(wal []byte, synced, next int) (all []crash) {
	for at := synced; at < next; at += walFrame {
		all = append(all,
			crash{fmt.Sprintf("%d bytes are left", at), wal[:at]},
			crash{fmt.Sprintf("%d bytes and half a frame are left", at), wal[:at+walFrame/2]})
		hole := slices.Clone(wal[:next])
		clear(hole[at : at+walFrame])
		all = append(all, crash{fmt.Sprintf("the frame at %d is lost and those behind it are not", at), hole})
	}
	noise := slices.Clone(wal[:next])
	for i := synced; i < next; i++ {
		noise[i] ^= 0x55
	}
	return append(all, crash{"what was not synced is noise", noise})
}

func TestT80APowerFailureLosesNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyward.db")
	d := open(t, path)
	db := start(t, d)
	if err := settle(db); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		t.Helper()
		b, err := exec.Command("cat", name).Output() // by a process of its own, so that this one keeps its locks
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	base := read(path)
	var keys []id.Key
	var synced []int // the log's length when key n was acknowledged
	for range 5 {
		k := id.Key(ids.Next())
		if err := insert(db, k, ""); err != nil {
			t.Fatal(err)
		}
		keys, synced = append(keys, k), append(synced, len(read(path+"-wal")))
	}
	wal := read(path + "-wal")
	if !bytes.Equal(base, read(path)) || (synced[0]-walHead)%walFrame != 0 {
		t.Fatal("the log was folded into the file: this test has to know what is in which")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for n := range len(keys) - 1 {
		for _, c := range crashes(wal, synced[n], synced[n+1]) {
			dir := t.TempDir()
			after := filepath.Join(dir, "keyward.db")
			for name, b := range map[string][]byte{after: base, after + "-wal": c.wal} {
				if err := os.WriteFile(name, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			audited(t, after, keys[:n+1])
			if t.Failed() {
				t.Fatalf("%d keys were acknowledged, and then %s", n+1, c.name)
			}
			tried++
		}
	}
	if tried < 4*(1+3*4) {
		t.Errorf("only %d crashes were tried", tried)
	}
	// A disk that loses synced writes is found out by this test.
	lost := filepath.Join(t.TempDir(), "keyward.db")
	for name, b := range map[string][]byte{lost: base, lost + "-wal": wal[:synced[1]-walFrame]} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if there := present(t, lost, keys[:2]); there != 1 {
		t.Errorf("%d of two keys are there after a synced frame was lost: the test could not fail", there)
	}
}

// present counts which of the keys a database has.
func present(t *testing.T, path string, keys []id.Key) (n int) {
	t.Helper()
	db := start(t, open(t, path))
	defer db.Close()
	err := db.View(t.Context(), func(v *store.View) error {
		for _, k := range keys {
			if _, err := v.Key(k); err == nil {
				n++
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return n
}
