package control_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/store"
)

func under(key, credential string) control.Idempotency {
	return control.Idempotency{Key: key, Material: keyfmt.MaterialOf(credential)}
}

// T19: a request that is sent 50 times at once makes one key or one rotation, and every answer shows the same value.
func TestT19ARepeatedRequestHappensOnceAndShowsTheSameValue(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	target := string(k.key(t, ws, "owner").Key.ID)
	in := control.CreateKey{Workspace: ws, User: "owner", Name: "once", Once: under("abc", "root")}
	for name, ask := range map[string]func() (control.Revealed, error){
		"create": func() (control.Revealed, error) { return k.CreateKey(ctx, k.root, in) },
		"rotate": func() (control.Revealed, error) { return k.RotateKeyOnce(ctx, k.root, target, 60, in.Once) },
	} {
		var mu sync.Mutex
		var wg sync.WaitGroup
		firsts, answers := 0, map[string]int{}
		for range 50 {
			wg.Go(func() {
				out, err := ask()
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				answers[string(out.Key.ID)+" "+out.Secret.Reveal()]++
				if !out.Replayed {
					firsts++
				}
			})
		}
		wg.Wait()
		if len(answers) != 1 || firsts != 1 {
			t.Errorf("%s: %d times, %d answers", name, firsts, len(answers))
		}
		for a := range answers {
			if len(a) < 40+1+36 {
				t.Errorf("%s: no value was shown", name)
			}
		}
	}
	in.Name = "another"
	if _, err := k.CreateKey(ctx, k.root, in); !fault.Is(err, fault.Conflict) {
		t.Errorf("another creation under the same key: %v", err)
	}
	if _, err := k.RotateKeyOnce(ctx, k.root, target, 61, in.Once); !fault.Is(err, fault.Conflict) {
		t.Errorf("another rotation under the same key: %v", err)
	}
	if n := len(k.earlier(t, target)); n != 1 {
		t.Errorf("the key has %d earlier values", n)
	}
}

func (k *kit) earlier(t failer, key string) []string {
	t.Helper()
	shown, err := k.GetKey(context.Background(), k.root, key)
	must(t, err)
	var out []string
	for _, p := range shown.Previous {
		out = append(out, p.Masked)
	}
	return out
}

// T19: each thing that ends a value, and each other way to ask, gets the key and never the value.
func TestT19AValueIsToldAgainToItsCredentialAloneAndWhileItWorks(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	ours := under("word", "ours")
	change := func(k *kit, t failer, key string, u control.UpdateKey) {
		u.ID = key
		_, failed, err := k.UpdateKeys(ctx, k.root, []control.UpdateKey{u})
		must(t, err)
		if len(failed) > 0 {
			t.Fatalf("%v", failed[0].Fault)
		}
	}
	active := func(on bool) control.UpdateKey { return control.UpdateKey{IsActive: control.Some(on)} }
	tests := map[string]struct {
		then  func(k *kit, t failer, ws, key string)
		again control.Idempotency
		shown bool
	}{
		"nothing": {nil, ours, true},
		"a change that leaves the value": {
			func(k *kit, t failer, _, key string) { change(k, t, key, control.UpdateKey{Name: control.Some("x")}) }, ours, true,
		},
		"another credential":                 {nil, under("word", "theirs"), false},
		"no credential, as in the dashboard": {nil, control.Idempotency{Key: "word"}, false},
		"disabled": {
			func(k *kit, t failer, _, key string) { change(k, t, key, active(false)) }, ours, false,
		},
		"disabled and enabled": {func(k *kit, t failer, _, key string) {
			change(k, t, key, active(false))
			change(k, t, key, active(true))
		}, ours, false},
		"rotated without overlap": {
			func(k *kit, t failer, _, key string) { _, err := k.RotateKey(ctx, k.root, key, 0); must(t, err) }, ours, false,
		},
		"rotated with overlap": {
			func(k *kit, t failer, _, key string) { _, err := k.RotateKey(ctx, k.root, key, 600); must(t, err) }, ours, false,
		},
		"revoked": {func(k *kit, t failer, _, key string) { revoke(k, t, key) }, ours, false},
		"its creator removed": {func(k *kit, t failer, ws, _ string) {
			_, err := k.RemoveMember(ctx, k.root, ws, "mia", control.RemoveMember{})
			must(t, err)
		}, ours, false},
	}
	for name, test := range tests {
		for _, way := range []string{"create", "rotate"} {
			t.Run(name+" after "+way, func(t *testing.T) {
				t.Parallel()
				k, ws := inWorkspace(t)
				k.join(t, ws, "mia", "Member")
				target := string(k.key(t, ws, "mia").Key.ID)
				ask := func(o control.Idempotency) (control.Revealed, error) {
					if way == "create" {
						return k.CreateKey(ctx, k.root, control.CreateKey{Workspace: ws, User: "mia", Name: "n", Once: o})
					}
					return k.RotateKeyOnce(ctx, k.root, target, 60, o)
				}
				first, err := ask(ours)
				must(t, err)
				if test.then != nil {
					test.then(k, t, ws, string(first.Key.ID))
				}
				got, err := ask(test.again)
				must(t, err)
				if got.Key.ID != first.Key.ID || !got.Replayed || got.Secret.IsZero() == test.shown ||
					test.shown && !got.Secret.Equal(first.Secret) {
					t.Errorf(
						"again: key %s, replayed %v, value shown %v, want %v", got.Key.ID, got.Replayed, !got.Secret.IsZero(), test.shown,
					)
				}
			})
		}
	}
}

func revoke(k *kit, t failer, key string) {
	t.Helper()
	shown, err := k.GetKey(context.Background(), k.root, key)
	must(t, err)
	must(t, k.RevokeByValue(context.Background(), k.root, shown.ID, shown.Value.Digest.Sum))
}

// T19: a caller that may no longer rotate the key is not told its value.
func TestT19AValueIsNotToldAgainToWhoMayHaveItNoMore(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	k.join(t, ws, "adam", "Admin")
	ask := func() (control.Revealed, error) {
		return k.CreateKey(
			context.Background(), person(ws, "adam"),
			control.CreateKey{Workspace: ws, User: "adam", Name: "n", Once: under("w", "adam")},
		)
	}
	first, err := ask()
	must(t, err)
	k.join(t, ws, "adam", "Member")
	again, err := ask()
	must(t, err)
	if again.Key.ID != first.Key.ID || !again.Secret.IsZero() {
		t.Errorf("a demoted member: key %s, value shown %v", again.Key.ID, !again.Secret.IsZero())
	}
}

// T19: a key that rotates itself with an overlap repeats its request by the value before; without one, that value is
// none any more.
func TestT19AKeyThatRotatedItselfAsksOnceMore(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	for _, overlap := range []int64{60, 0} {
		key := k.key(t, ws, "owner", "api-keys:write")
		caller := by(key)
		ask := func() (control.Revealed, error) {
			return k.RotateKeyOnce(context.Background(), caller, string(key.Key.ID), overlap, under("w", key.Secret.Reveal()))
		}
		first, err := ask()
		must(t, err)
		again, err := ask()
		switch {
		case overlap == 0 && !fault.Is(err, fault.Unauthenticated):
			t.Errorf("without an overlap: %v", err)
		case overlap > 0 && (err != nil || !again.Secret.Equal(first.Secret)):
			t.Errorf("with an overlap: value shown %v, %v", !again.Secret.IsZero(), err)
		}
	}
}

// T19: the copy is told for as long as Reveal says, and never where that is nothing.
func TestT19TheTimeOfAReveal(t *testing.T) {
	t.Parallel()
	for _, reveal := range []time.Duration{0, time.Minute} {
		k := newKit(t, t.TempDir(), func(c *control.Config) { c.Reveal = reveal })
		ws := k.found(t)
		in := control.CreateKey{Workspace: ws, User: "owner", Name: "n", Once: under("w", "root")}
		_, err := k.CreateKey(context.Background(), k.root, in)
		must(t, err)
		again, err := k.CreateKey(context.Background(), k.root, in)
		must(t, err)
		must(t, k.db.View(context.Background(), func(v *store.View) error {
			kept, err := v.Idempotent(ws+" "+string(k.root.ServiceKey), "w")
			if reveal > 0 && kept.SealedUntil.Sub(kept.CreatedAt) != reveal || reveal == 0 && kept.Sealed != nil {
				t.Errorf("reveal %v: kept from %v until %v, %d bytes", reveal, kept.CreatedAt, kept.SealedUntil, len(kept.Sealed))
			}
			return err
		}))
		if again.Secret.IsZero() != (reveal == 0) {
			t.Errorf("reveal %v: value shown %v", reveal, !again.Secret.IsZero())
		}
		must(t, k.db.Close())
	}
}

// T18: key material does not print itself.
func TestT18KeyMaterialDoesNotPrintItself(t *testing.T) {
	t.Parallel()
	const want = "[redacted]"
	m := keyfmt.MaterialOf("credential")
	for _, got := range []string{fmt.Sprint(m), fmt.Sprintf("%x", m), fmt.Sprintf("%#v", m), m.LogValue().String()} {
		if got != fmt.Sprint(keyfmt.NewSecret("x")) {
			t.Errorf("it prints %q, want %q", got, want)
		}
	}
	if shown := fmt.Sprintf("%+v", under("w", "credential")); shown != fmt.Sprintf("{Key:w Material:%v}", m) {
		t.Errorf("within a request it prints %q", shown)
	}
}
