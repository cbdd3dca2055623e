package id_test

import (
	"crypto/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/id"
)

func TestIdsSortInTheOrderTheyWereMadeEvenWhenTheClockFalls(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	g := id.NewGenerator(func() time.Time { return now }, rand.Reader)
	last := ""
	for i := range 20_000 {
		if i%1000 == 0 {
			now = now.Add(time.Duration(1-i%3) * time.Minute)
		}
		next := g.Next()
		if next <= last {
			t.Fatalf("%s came after %s", next, last)
		}
		if next[14] != '7' || !strings.ContainsRune("89ab", rune(next[19])) {
			t.Fatalf("%s is no version 7 UUID", next)
		}
		last = next
	}
}

func TestIdsAreUniqueUnderConcurrency(t *testing.T) {
	t.Parallel()
	g := id.NewGenerator(time.Now, rand.Reader)
	var seen sync.Map
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				if _, dup := seen.LoadOrStore(g.Next(), true); dup {
					t.Error("an id repeats")
				}
			}
		})
	}
	wg.Wait()
}

func TestParseReadsTheCanonicalFormAlone(t *testing.T) {
	t.Parallel()
	const good = "0193a5b0-7c1d-7e3f-8a4b-0123456789ab"
	u, ok := id.Parse(good)
	if !ok || id.Format(u) != good {
		t.Fatalf("round trip of %s gives %s, %v", good, id.Format(u), ok)
	}
	for _, bad := range []string{"", strings.ToUpper(good), "{" + good + "}", good[:35], good + "0",
		strings.ReplaceAll(good, "-", ""),
		"urn:uuid:" + good, strings.Replace(good, "0", "g", 1), strings.Replace(good, "-", "_", 1)} {
		if _, ok := id.Parse(bad); ok {
			t.Errorf("%q is let through", bad)
		}
	}
}

func TestCheckUserAdmitsTheContractsCharacters(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"u", "auth0|5f7", "a.b_c-d@e.org", "x:y+z=", strings.Repeat("a", 255), "..."} {
		if err := id.CheckUser(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", ".", "..", "a b", "a/b", "ä", "a\n", "a%20", strings.Repeat("a", 256)} {
		if id.CheckUser(bad) == nil {
			t.Errorf("%q is let through", bad)
		}
	}
}
