// Package feedtest owns the duties of every feed.Source, as one suite, and a model of one. It does not own the ways in
// which a certain source is told of changes.
package feedtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

// Log is a change log under test, with the ways to change it. Each way has taken place when it returns.
type Log struct {
	feed.Source
	Put   func() id.Key // makes a key
	Touch func(id.Key)  // changes a key
	Drop  func(id.Key)  // removes a key
	// Forget makes the log begin after its present end.
	Forget func()
}

// Run runs the suite. Each log is new, and holds no key that Put has not made.
func Run(t *testing.T, make func(t *testing.T) Log) {
	for name, test := range map[string]func(*testing.T, Log){
		"a load and the pages after it are all that there is":    testAll,
		"the end of the feed stays where it is":                  testEnd,
		"a change before the question is in the answer":          testAtOnce,
		"T87 a cursor of another history is refused":             testHistory,
		"T28 a reader at any pace comes to the present state":    testPace,
		"a key that is gone is told with the place where it was": testGone,
	} {
		t.Run(name, func(t *testing.T) { test(t, make(t)) })
	}
}

// Reader keeps the keys that a source tells of.
type Reader struct {
	T      *testing.T
	Source feed.Source
	At     feed.Cursor
	Keys   map[id.Key]bool
	Gone   map[id.Key]id.Workspace
}

// Read makes a reader that has loaded.
func Read(t *testing.T, s feed.Source) *Reader {
	t.Helper()
	r := &Reader{T: t, Source: s, Keys: map[id.Key]bool{}, Gone: map[id.Key]id.Workspace{}}
	at, ok, err := s.Load(context.Background(), func(c feed.Change) error {
		if c.Revision != 0 {
			t.Errorf("a load tells of revision %d", c.Revision)
		}
		r.apply(c)
		return nil
	})
	if err != nil || !ok {
		t.Fatalf("load: %v, %v", ok, err)
	}
	r.At = at
	return r
}

func (r *Reader) apply(c feed.Change) {
	switch {
	case c.Key != nil:
		r.Keys[c.Key.ID] = true
	case c.KeyGone != "":
		delete(r.Keys, c.KeyGone)
		r.Gone[c.KeyGone] = c.In
	}
}

// Next reads one page, and tells whether there is more.
func (r *Reader) Next() (more bool) {
	r.T.Helper()
	p, err := r.Source.Next(context.Background(), feed.Presence{At: r.At})
	if err != nil {
		r.T.Fatal(err)
	}
	if p.Cursor.Revision < r.At.Revision {
		r.T.Fatalf("the cursor goes back from %d to %d", r.At.Revision, p.Cursor.Revision)
	}
	if p.More && p.Cursor == r.At {
		r.T.Fatal("there is more, and the cursor stands still")
	}
	for _, c := range p.Changes {
		if c.Revision != p.Cursor.Revision {
			r.T.Errorf("a change of revision %d in a page of %d", c.Revision, p.Cursor.Revision)
		}
		r.apply(c)
	}
	r.At = p.Cursor
	return p.More
}

// CatchUp reads to the end.
func (r *Reader) CatchUp() {
	r.T.Helper()
	for r.Next() {
	}
}

func (r *Reader) has(keys map[id.Key]bool, when string) {
	r.T.Helper()
	for k := range keys {
		if !r.Keys[k] {
			r.T.Errorf("%s: the key %s is missing", when, k)
		}
	}
	for k := range r.Keys {
		if !keys[k] {
			r.T.Errorf("%s: the key %s is still there", when, k)
		}
	}
}

func testAll(t *testing.T, l Log) {
	keys := map[id.Key]bool{l.Put(): true, l.Put(): true}
	r := Read(t, l)
	r.has(keys, "loaded")
	for range 20 {
		keys[l.Put()] = true
	}
	r.CatchUp()
	r.has(keys, "caught up")
	Read(t, l).has(keys, "loaded anew")
}

func testEnd(t *testing.T, l Log) {
	l.Put()
	r := Read(t, l)
	r.CatchUp()
	at := r.At
	for range 3 {
		p, err := l.Next(context.Background(), feed.Presence{At: at})
		if err != nil || p.Cursor != at || p.More || len(p.Changes) != 0 {
			t.Errorf("at the end: %+v, %v", p, err)
		}
		if p.Held < 0 || p.Age < 0 {
			t.Errorf("held for %s, of an age of %s", p.Held, p.Age)
		}
	}
}

func testAtOnce(t *testing.T, l Log) {
	r := Read(t, l)
	r.CatchUp()
	for range 10 {
		k := l.Put()
		if r.CatchUp(); !r.Keys[k] {
			t.Fatal("a key that was made before the question is not in the answer")
		}
		l.Drop(k)
		if r.CatchUp(); r.Keys[k] {
			t.Fatal("a key that was removed before the question is not gone in the answer")
		}
	}
}

func testHistory(t *testing.T, l Log) {
	l.Put()
	r := Read(t, l)
	r.CatchUp()
	other := func(change func(*feed.Cursor)) feed.Cursor {
		c := r.At
		change(&c)
		return c
	}
	for name, at := range map[string]feed.Cursor{
		"of another epoch":         other(func(c *feed.Cursor) { c.Epoch += "x" }),
		"beyond the end":           other(func(c *feed.Cursor) { c.Revision++ }),
		"with another event there": other(func(c *feed.Cursor) { c.Hash[3] ^= 1 }),
	} {
		if _, err := l.Next(context.Background(), feed.Presence{At: at}); !errors.Is(err, feed.ErrHistory) {
			t.Errorf("a cursor %s: %v, want ErrHistory", name, err)
		}
	}
	l.Put()
	l.Forget()
	if _, err := l.Next(context.Background(), feed.Presence{At: r.At}); !errors.Is(err, feed.ErrHistory) {
		t.Errorf("a cursor before the beginning of the log: %v, want ErrHistory", err)
	}
	r = Read(t, l)
	k := l.Put()
	if r.CatchUp(); !r.Keys[k] {
		t.Error("the feed does not go on after a load")
	}
}

func testPace(t *testing.T, l Log) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	keys := map[id.Key]bool{}
	var list []id.Key
	r := Read(t, l)
	for range 60 {
		switch random.IntN(5) {
		case 0, 1:
			k := l.Put()
			keys[k], list = true, append(list, k)
		case 2:
			if len(list) > 0 {
				k := list[random.IntN(len(list))]
				if keys[k] {
					l.Drop(k)
				}
				delete(keys, k)
			}
		case 3:
			if len(list) > 0 {
				if k := list[random.IntN(len(list))]; keys[k] {
					l.Touch(k)
				}
			}
		case 4:
			r.Next()
		}
	}
	r.CatchUp()
	r.has(keys, "at the end")
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
}

func testGone(t *testing.T, l Log) {
	k := l.Put()
	r := Read(t, l)
	l.Drop(k)
	r.CatchUp()
	if in, told := r.Gone[k]; !told || in == "" {
		t.Errorf("told %v, in %q", told, in)
	}
}
