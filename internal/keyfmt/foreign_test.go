package keyfmt_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/keyfmt"
)

func TestT99WhatMayBeForeign(t *testing.T) {
	t.Parallel()
	f, err := keyfmt.NewFormat("acme")
	if err != nil {
		t.Fatal(err)
	}
	f.Admit("old")
	for value, want := range map[string]bool{
		strings.Repeat("x", 15): false, strings.Repeat("x", 16): true, strings.Repeat("x", 512): true,
		strings.Repeat("x", 513):    false,
		"kw_live_of-another-prefix": true, "old_live_of-an-earlier-prefix": false, "acme-without-underscore": true,
		"acme_live_of-our-prefix": false, "acme_whatever-it-is": false,
		"keyward_session_" + strings.Repeat("a", 43): false, "keyward_link_anything": false, "keyward-is-no-token": true,
		"eyJhbGciOiJIUzI1NiJ9.e30.c2ln": false, "eyes-and-1.dot-only": true, "a blank in the middle": false,
		"tab\tin-the-middle-x":     false,
		"delete\x7fis-not-visible": false, "not-ascii-at-all-ü": false, `all~of!these"are#visible`: true,
	} {
		if got := f.MayBeForeign(value); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func TestT99AnImportedDigestIsThatOfTheValue(t *testing.T) {
	t.Parallel()
	const value, secret = "a value of another system", "the old secret"
	d := foreignDigester(t, "pepper")
	d.AddImportSecret("crm", []byte(secret))
	plain, long := sha256.Sum256([]byte(value)), sha512.Sum512([]byte(value))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(value))
	for algorithm, sum := range map[string][]byte{keyfmt.SHA256: plain[:], keyfmt.SHA512: long[:],
		keyfmt.HMACSHA256: mac.Sum(nil)} {
		stored, err := d.Imported(algorithm, "crm", sum)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []keyfmt.PepperID{stored.Pepper, stored.Pepper.WithRehash(true)} {
			if got, ok := d.Of(p, value); !ok || got != stored.Sum || !d.Knows(p) || !p.IsForeign() {
				t.Errorf("%s: %x of %x", p, got, stored.Sum)
			}
		}
		if _, err := d.Imported(algorithm, "crm", sum[1:]); err == nil {
			t.Errorf("%s: a short digest was taken", algorithm)
		}
	}
	// The folded form is kept in databases: it never changes.
	folded := sha256.Sum256(append([]byte("keyward imported digest\x00sha512\x00\x00"), long[:]...))
	if stored, _ := d.Imported(keyfmt.SHA512, "", long[:]); stored.Sum != folded {
		t.Error("SHA-512 is folded in another way")
	}
}

func TestT99OurOwnDigestIsLookedForLastAndBeforeItIsThere(t *testing.T) {
	t.Parallel()
	d := foreignDigester(t, "pepper")
	own := d.StoreForeign("a value")
	kinds := d.Kinds([]keyfmt.PepperID{"foreign:rehash:sha512", "foreign:sha256", "foreign:sha512"})
	var got []keyfmt.Digest
	for i := range kinds.Len() {
		got = append(got, kinds.Digest(i, "a value"))
	}
	long, _ := d.Of("foreign:sha512", "a value")
	if diff := cmp.Diff([]keyfmt.Digest{long, sha256.Sum256([]byte("a value")), own.Sum}, got); diff != "" ||
		kinds.Strange {
		t.Error(diff)
	}
	if k := d.Kinds([]keyfmt.PepperID{own.Pepper, "foreign:sha256"}); k.Len() != 2 || k.Digest(1, "a value") != own.Sum {
		t.Error("our own digest is not the last")
	}
	if k := d.Kinds([]keyfmt.PepperID{"foreign:hmac-sha256:gone:0011"}); k.Len() != 0 || !k.Strange {
		t.Error("a kind without its secret is not told")
	}
	plain := foreignDigester(t, "")
	if k := plain.Kinds([]keyfmt.PepperID{"foreign:rehash:sha256", "foreign:own:none"}); k.Len() != 1 {
		t.Errorf("one digest is made %d times", k.Len())
	}
}

func foreignDigester(t *testing.T, pepper string) *keyfmt.Digester {
	t.Helper()
	d, err := keyfmt.NewDigester(pepper)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
