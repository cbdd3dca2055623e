package storetest

import (
	"context"
	"slices"
	"testing"

	"github.com/keyward/keyward/internal/apikey"
)

func testKeyPrefixes(_ *testing.T, f *fixture) {
	remember := func(prefix string) []string {
		known, err := f.db.RememberKeyPrefix(context.Background(), prefix)
		f.must(err)
		slices.Sort(known)
		return slices.Compact(known)
	}
	for _, mask := range []string{"kw_live_AbCd…wxyz", "kw_test_AbCd…wxyz", "old_live_AbCd…wxyz", "kw1_live_AbCd…wxyz",
		"no mask of ours"} {
		f.insert(func(k *apikey.Key) { k.Value.Masked = mask })
	}
	f.same("those of the keys, and the one that is given now", []string{"acme", "kw", "kw1", "old"}, remember("acme"))
	f.same("once more", []string{"acme", "kw", "kw1", "old"}, remember("kw"))
	f.same("a further one", []string{"acme", "kw", "kw1", "next", "old"}, remember("next"))
	known, err := f.db.KeyPrefixes(context.Background())
	f.must(err)
	slices.Sort(known)
	f.same("as they are read", []string{"acme", "kw", "kw1", "next", "old"}, known)
}
