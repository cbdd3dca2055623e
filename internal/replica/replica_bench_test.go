package replica_test

import (
	"fmt"
	"testing"

	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/replica"
)

const benchKeys = 100_000

func crowd() (*replica.Replica, []keyfmt.Digest) {
	r := replica.New()
	changes := []feed.Change{workspace("w"), role("w", "r", "calls:read"), member("w", "ann", "r")}
	digests := make([]keyfmt.Digest, benchKeys)
	for i := range digests {
		name := fmt.Sprint("key ", i)
		digests[i] = sum(name)
		changes = append(changes, key("w", "ann", name))
	}
	r.Apply(changes)
	return r, digests
}

// stride goes through the keys in an order that a processor's cache does not expect.
const stride = 77_777

func BenchmarkLookup(b *testing.B) {
	r, digests := crowd()
	var v replica.View
	b.ReportAllocs()
	for i := 0; b.Loop(); i += stride {
		if !r.Lookup(digests[i%benchKeys], &v) {
			b.Fatal("a key was not found")
		}
	}
}

func BenchmarkLookupInParallel(b *testing.B) {
	r, digests := crowd()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var v replica.View
		for i := 0; pb.Next(); i += stride {
			r.Lookup(digests[i%benchKeys], &v)
		}
	})
}

func BenchmarkLookupOfAnUnknownDigest(b *testing.B) {
	r, _ := crowd()
	d := sum("nobody's")
	var v replica.View
	b.ReportAllocs()
	for b.Loop() {
		r.Lookup(d, &v)
	}
}

func BenchmarkApplyOneKey(b *testing.B) {
	r, _ := crowd()
	b.ReportAllocs()
	for n := int64(1); b.Loop(); n++ {
		r.Apply(at(n, key("w", "ann", "key 7")))
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		crowd()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchKeys, "ns/key")
}
