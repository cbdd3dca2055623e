package verifier_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyward/keyward"
)

// introspecter is what the client and the verifier have in common beside keyward.Verifier.
type introspecter interface {
	keyward.Verifier
	Introspect(context.Context, string, ...keyward.IntrospectOption) (keyward.Introspection, error)
}

func TestAnIntrospectionIsThatOfTheClient(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.verifier(nil)
	other := h.Workspace(t, "Other", "eve")
	asked := h.questions()
	delete(asked, "limited") // an introspection costs 1 of the limits: see below
	asked["of another workspace"] = keyward.VerifyRequest{Key: h.Key(t, other, "eve")}
	h.says(v, asked["of another workspace"].Key, keyward.VerdictValid)
	demands := map[string][]keyward.IntrospectOption{
		"nothing":              nil,
		"live":                 {keyward.FromEnvironment("live")},
		"no environment":       {keyward.FromEnvironment("prod")},
		"its workspace":        {keyward.FromWorkspace(h.workspace)},
		"one of two":           {keyward.FromWorkspace(other, h.workspace)},
		"no workspace":         {keyward.FromWorkspace()},
		"an address":           {keyward.PresentedFrom("10.1.2.3")},
		"an address of a zone": {keyward.PresentedFrom("fe80::1%eth0")},
		"all that there is": {keyward.FromEnvironment("live"), keyward.FromWorkspace(h.workspace),
			keyward.PresentedFrom("10.0.0.1")},
		"an address of no value": {keyward.PresentedFrom("")},
	}
	pairs := map[string][2]introspecter{
		"everywhere":          {h.client, v},
		"within the first":    {h.client.Within(h.workspace), v.Within(h.workspace)},
		"within the other":    {h.client.Within(other), v.Within(other)},
		"within no workspace": {h.client.Within(""), v.Within("")},
	}
	active := 0
	for where, pair := range pairs {
		for demand, options := range demands {
			for what, q := range asked {
				want, wantErr := pair[0].Introspect(t.Context(), q.Key, options...)
				got, err := pair[1].Introspect(t.Context(), q.Key, options...)
				if (err == nil) != (wantErr == nil) || err != nil &&
					errors.Is(err, keyward.ErrInvalid) != errors.Is(wantErr, keyward.ErrInvalid) {
					t.Errorf("%s, demands %s, of %s: %v; the client: %v", what, demand, where, err, wantErr)
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err == nil && diff != "" {
					t.Errorf("%s, demands %s, of %s:\n%s", what, demand, where, diff)
				}
				if got.Active {
					active++
				}
			}
		}
	}
	if active < 50 {
		t.Errorf("%d were active", active)
	}
	_, limited := h.key(func(r *keyward.CreateKeyRequest) {
		r.RateLimit = keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(2)})
	})
	h.says(v, limited, keyward.VerdictValid)
	for _, want := range []bool{true, false} {
		if got, err := v.Introspect(t.Context(), limited); err != nil || got.Active != want {
			t.Errorf("a key with a limit: %+v, %v", got, err)
		}
	}
}

func TestAVerifierWithinAWorkspaceAsksForNoOther(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.verifier(nil)
	other := h.Workspace(t, "Other", "eve")
	_, mine := h.key(nil)
	theirs := h.Key(t, other, "eve")
	h.says(v, mine, keyward.VerdictValid)
	h.says(v, theirs, keyward.VerdictValid)
	within := v.Within(other)
	h.says(within, mine, keyward.VerdictNotFound)
	h.says(within, theirs, keyward.VerdictValid)
	batch, err := within.VerifyBatch(t.Context(), []keyward.VerifyRequest{{Key: mine}, {Key: theirs}})
	if err != nil || batch[0].Valid || !batch[1].Valid {
		t.Errorf("%+v, %v", batch, err)
	}
	both := keyward.VerifyRequest{Key: theirs, WorkspaceIDs: []string{h.workspace, other}}
	if got, err := within.Verify(t.Context(), both); err != nil || !got.Valid {
		t.Errorf("%+v, %v", got, err)
	}
	elsewhere := keyward.VerifyRequest{Key: mine, WorkspaceIDs: []string{h.workspace}}
	if got, err := within.Verify(t.Context(), elsewhere); err == nil {
		t.Errorf("a question about another workspace: %+v", got)
	}
	if got, err := within.VerifyBatch(t.Context(), []keyward.VerifyRequest{elsewhere}); err == nil {
		t.Errorf("a batch about another workspace: %+v", got)
	}
	if got, err := within.Introspect(t.Context(), mine, keyward.FromWorkspace(h.workspace)); err == nil {
		t.Errorf("an introspection about another workspace: %+v", got)
	}
}
