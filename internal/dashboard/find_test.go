package dashboard_test

import (
	"context"
	"testing"

	"github.com/keyward/keyward/internal/control"
)

// The palette finds the keys that the visitor sees, and no others.
func TestThePaletteFindsTheKeysThatTheVisitorSees(t *testing.T) {
	t.Parallel()
	h := open(t)
	for user, name := range map[string]string{"ada": "nightly of ada", "bob": "nightly of bob"} {
		_, err := h.control.CreateKey(
			context.Background(), h.root, control.CreateKey{Workspace: h.ws, User: user, Name: name},
		)
		must[any](t)(nil, err)
	}
	h.get("ada", "/find?q=nightly").want(200).says("nightly of ada", "nightly of bob", `"path":"/keys/`)
	h.get("bob", "/find?q=nightly").want(200).says("nightly of bob").silent("nightly of ada")
	h.get("ada", "/find?q=nothing").want(200).says("[]")
	h.get("ada", "/find").want(200).says("[]")
	h.get("", "/find?q=nightly").want(303)
	h.get("ada", "/find?q=kw_live_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA2ImIO6").want(400).silent("AAAAAAAA")
}
