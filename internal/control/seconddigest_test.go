package control_test

import (
	"context"
	"testing"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/store"
)

func TestASecondDigestIsKeptForAValueThatIsThere(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	to := keyfmt.Stored{Pepper: "pp", Sum: keyfmt.Digest{5}}
	second := func(of id.Key) (out keyfmt.Stored) {
		must(t, k.db.View(ctx, func(v *store.View) error {
			key, err := v.Key(of)
			out = key.Value.Second
			return err
		}))
		return out
	}
	native := k.key(t, ws, "owner").Key.ID
	of := k.stored(t, control.Imported{ID: native}).Sum
	one := control.Second{Key: native, Of: of, To: to}
	before := len(k.events(t))
	must(t, k.KeepSeconds(ctx, []control.Second{one, one}))
	if got := second(native); got != to {
		t.Errorf("of a native value: %v", got)
	}
	if n := len(k.events(t)) - before; n != 1 {
		t.Errorf("%d events", n)
	}
	_, err := k.RotateKey(ctx, k.root, string(native), 0)
	must(t, err)
	must(t, k.KeepSeconds(ctx, []control.Second{one, {Key: "01900000-0000-7000-8000-000000000000"}, {Service: "nobody"}}))
	if got := second(native); got == to {
		t.Error("a value that was rotated away has got one")
	}
	imported, f := k.imports(t, ws, shaOf("the-value-of-another-system"), false)
	if f != nil {
		t.Fatal(f)
	}
	must(t, k.KeepSeconds(ctx, []control.Second{{Key: imported.ID, Of: k.stored(t, imported).Sum, To: to}}))
	if got := second(imported.ID); got != (keyfmt.Stored{}) {
		t.Error("a foreign value has got one")
	}
}
