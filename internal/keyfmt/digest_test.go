package keyfmt_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"testing"

	"github.com/keyward/keyward/internal/keyfmt"
)

func peppered(t testing.TB, value string, earlier ...string) *keyfmt.Digester {
	t.Helper()
	d, err := keyfmt.NewDigester(value, earlier...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestT21APepperedDigestIsTheHMACOfTheWholeTextWhoeverElseAsks(t *testing.T) {
	t.Parallel()
	const pepper = "a pepper"
	d := peppered(t, pepper)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 500 {
				s := strings.Repeat(fmt.Sprint(n, "/", i, " "), 1+i%20)
				m := hmac.New(sha256.New, []byte(pepper))
				m.Write([]byte(s))
				if got := d.Current(s); got != keyfmt.Digest(m.Sum(nil)) {
					t.Errorf("the digest of %q is another", s)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A new HMAC takes seven allocations. Under the race detector a pool drops a quarter of its values.
func TestAPepperedDigestAllocatesNothingOnceTheHMACIsThere(t *testing.T) {
	d, s := peppered(t, "a pepper", "an earlier one"), mint(t, keyfmt.Live).Reveal()
	never := func(keyfmt.Digest) bool { return false }
	if n := testing.AllocsPerRun(1000, func() { d.Current(s); d.Previous(s, never) }); n > 2*7/2 {
		t.Errorf("%v allocations for two digests", n)
	}
}

func TestT14NoOtherSpellingOfAChecksumIsLetThrough(t *testing.T) {
	t.Parallel()
	f := format(t)
	body := "kw_live_" + strings.Repeat("0", 43)
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	spell := func(n uint64) string {
		b := []byte("000000")
		for i := 5; i >= 0; i-- {
			b[i] = digits[n%62]
			n /= 62
		}
		return string(b)
	}
	sum := uint64(crc32.ChecksumIEEE([]byte(body)))
	if _, ok := f.Parse(body + spell(sum)); !ok {
		t.Fatal("the right checksum is refused")
	}
	for _, n := range []uint64{sum + 1, sum - 1, sum + 1<<32, sum + 2<<32, sum ^ 1<<31, 0} {
		if _, ok := f.Parse(body + spell(n)); ok {
			t.Errorf("%s is let through for %d", spell(n), sum)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	f, s := format(b), mint(b, keyfmt.Live).Reveal()
	b.ReportAllocs()
	for b.Loop() {
		f.Parse(s)
	}
}

func BenchmarkDigest(b *testing.B) {
	s := mint(b, keyfmt.Live).Reveal()
	for name, d := range map[string]*keyfmt.Digester{"plain": peppered(b, ""), "peppered": peppered(b, "a pepper")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.Current(s)
			}
		})
	}
}
