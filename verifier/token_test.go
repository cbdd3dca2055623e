package verifier_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/verifier"
)

// The token in the file is changed, and the one before is taken back: the verifier goes on.
func TestATokenOfAFileIsReadWithEachQuestion(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	file := filepath.Join(t.TempDir(), "token")
	h.must(os.WriteFile(file, []byte(h.token+"\n"), 0o600))
	v := h.verifier(func(c *verifier.Config) { c.Token, c.TokenFile = "", file })
	_, value := h.key(nil)
	h.says(v, value, keyward.VerdictValid)
	next, err := h.Client().CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{
		Name: "next", Scopes: []keyward.Scope{keyward.ScopeFollow, keyward.ScopeVerify},
	})
	h.must(err)
	h.must(os.WriteFile(file, []byte(next.Key.Reveal()), 0o600))
	_, err = h.Client().DeleteServiceKey(t.Context(), h.serviceID)
	h.must(err)
	_, value = h.key(nil)
	h.says(v, value, keyward.VerdictValid)
	followers, err := h.Client().ListFollowers(t.Context())
	h.must(err)
	known := false
	for _, f := range followers {
		known = known || f.ServiceKeyID == next.ServiceKey.ID
	}
	if !known {
		t.Errorf("nobody follows by the next token: %+v", followers)
	}
}
