package control_test

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/store"
)

// imports takes one digest in.
func (k *kit) imports(t *testing.T, ws string, d control.ImportDigest, rehash bool) (control.Imported, *fault.Error) {
	t.Helper()
	done, failed, err := k.ImportKeys(context.Background(), k.root, ws, []control.ImportKey{
		{CreateKey: control.CreateKey{User: "owner", Name: "imported"}, Digest: &d, Rehash: rehash}})
	must(t, err)
	if len(failed) > 0 {
		return control.Imported{}, failed[0].Fault
	}
	return done[0], nil
}

func shaOf(value string) control.ImportDigest {
	sum := sha256.Sum256([]byte(value))
	return control.ImportDigest{Algorithm: keyfmt.SHA256, Encoding: "hex", Value: hex.EncodeToString(sum[:])}
}

func longOf(value string) control.ImportDigest {
	sum := sha512.Sum512([]byte(value))
	return control.ImportDigest{Algorithm: keyfmt.SHA512, Encoding: "hex", Value: hex.EncodeToString(sum[:])}
}

func (k *kit) stored(t *testing.T, of control.Imported) keyfmt.Stored {
	t.Helper()
	var out keyfmt.Stored
	must(t, k.db.View(context.Background(), func(v *store.View) error {
		key, err := v.Key(of.ID)
		out = key.Value.Digest
		return err
	}))
	return out
}

func TestT99ARehashTakesTheImportedDigestsPlaceAndLosesToARotation(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	const value = "the-value-of-another-system"
	of, f := k.imports(t, ws, longOf(value), true)
	if f != nil {
		t.Fatal(f)
	}
	was := k.stored(t, of)
	if was.Pepper != "foreign:rehash:sha512" {
		t.Errorf("imported as %s", was.Pepper)
	}
	sum := sha256.Sum256([]byte(value))
	own := keyfmt.Stored{Pepper: "foreign:own:none", Sum: sum}
	one := []control.Rehash{{Key: of.ID, From: was.Sum, To: own}}

	must(t, k.Rehash(ctx, one))
	if got := k.stored(t, of); got != own {
		t.Errorf("rehashed to %s", got.Pepper)
	}
	if _, f := k.imports(t, ws, shaOf(value), false); f == nil || f.Code != fault.Conflict {
		t.Errorf("the same value by another kind, which is known now: %v", f)
	}
	again, f := k.imports(t, ws, longOf("another-value-of-theirs"), true)
	if f != nil {
		t.Fatal(f)
	}
	late := []control.Rehash{{Key: again.ID, From: k.stored(t, again).Sum, To: keyfmt.Stored{Pepper: "foreign:own:none"}}}
	_, err := k.RotateKey(ctx, k.root, string(again.ID), 0)
	must(t, err)
	rotated := k.stored(t, again)
	must(t, k.Rehash(ctx, late))
	if got := k.stored(t, again); got != rotated {
		t.Error("a rehash won over a rotation")
	}
	must(t, k.Rehash(ctx, []control.Rehash{{Key: "01900000-0000-7000-8000-000000000000"}}))
}

// Two keys may have one value under two kinds, which only a rehash finds out: the later one keeps its digest, and is
// not tried again.
func TestT99ARehashTakesNoDigestThatIsThere(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	_, f := k.imports(t, ws, shaOf("one-value-under-two-kinds"), false)
	if f != nil {
		t.Fatal(f)
	}
	of, f := k.imports(t, ws, longOf("one-value-under-two-kinds"), true)
	if f != nil {
		t.Fatal(f)
	}
	was := k.stored(t, of)
	must(t, k.Rehash(context.Background(), []control.Rehash{{Key: of.ID, From: was.Sum,
		To: keyfmt.Stored{Pepper: "foreign:own:none", Sum: sha256.Sum256([]byte("one-value-under-two-kinds"))}}}))
	if got := k.stored(t, of); got.Sum != was.Sum || got.Pepper != "foreign:sha512" {
		t.Errorf("%s", got.Pepper)
	}
}

func TestT99AtMostFourKindsAreInUse(t *testing.T) {
	t.Parallel()
	k := newKit(t, t.TempDir(), func(c *control.Config) {
		for _, name := range []string{"a", "b", "c"} {
			c.Digester.AddImportSecret(name, []byte("secret "+name))
		}
	})
	t.Cleanup(func() { must(t, k.db.Close()) })
	ws := k.found(t)
	keyed := func(secret string) control.ImportDigest {
		sum := sha256.Sum256([]byte(secret)) // as good as any 32 bytes
		return control.ImportDigest{
			Algorithm: keyfmt.HMACSHA256, Encoding: "hex", Value: hex.EncodeToString(sum[:]), Secret: control.Some(secret),
		}
	}
	for _, d := range []control.ImportDigest{keyed("a"), keyed("b"), shaOf("a-value-of-theirs")} {
		if _, f := k.imports(t, ws, d, false); f != nil {
			t.Fatal(f)
		}
	}
	if _, f := k.imports(t, ws, keyed("c"), true); f == nil || f.Code != fault.Conflict ||
		!strings.Contains(f.Error(), "4 kinds") {
		t.Errorf("the fourth and our own: %v", f)
	}
	last, f := k.imports(t, ws, keyed("c"), false)
	if f != nil {
		t.Fatal(f)
	}
	if _, f := k.imports(t, ws, longOf("a-fifth"), false); f == nil || f.Code != fault.Conflict {
		t.Errorf("a fifth: %v", f)
	}
	_, err := k.RotateKey(context.Background(), k.root, string(last.ID), 0)
	must(t, err)
	if _, f := k.imports(t, ws, longOf("a-fifth"), false); f != nil {
		t.Errorf("in the place of one that is not in use any more: %v", f)
	}
}

func TestT99AMaskGivesNoValueAway(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	const value = "acme-0123456789-wxyz"
	for masked, want := range map[string]bool{
		"acme-012…wxyz": true, "acme-012...wxyz": true, "acme-012******wxyz": true, "…": true, "…wxyz": true,
		"acme-012…": true, "twelve-chars": true,
		"kw_live_AbCd…wxyz": true, "acme-0123…wxyz": false, "acme-012…-wxyz": false, "acme…345…wxyz": false, value: false,
		value[:19]:      false,
		"thirteen-char": false, "kw_live_AbCdE…wxyz": false, "": false, " ": false,
	} {
		d := shaOf(value)
		in := control.ImportKey{
			CreateKey: control.CreateKey{User: "owner", Name: "imported"}, Digest: &d, Masked: control.Some(masked),
		}
		done, failed, err := k.ImportKeys(context.Background(), k.root, ws, []control.ImportKey{in})
		must(t, err)
		if (len(done) == 1) != want {
			t.Errorf("%q: %v", masked, failed)
		}
		for _, one := range done {
			_, _, err := k.DeleteKeys(context.Background(), k.root, []string{string(one.ID)})
			must(t, err)
		}
	}
}
