package control_test

import (
	"context"
	"testing"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// as is a calling person.
func as(ws, user string) control.Caller {
	return person(ws, user)
}

func TestAuthorityIsWhatTheOperationsThenAdmit(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	k.join(t, ws, "eve", "Viewer")
	k.join(t, ws, "dora", "Member")
	for user, may := range map[string]bool{"owner": true, "dora": true, "eve": false} {
		a, err := k.Authority(ctx, as(ws, user), ws)
		must(t, err)
		_, err = k.DraftKey(
			ctx, as(ws, user),
			control.CreateKey{Workspace: ws, User: user, Name: "n", Permissions: control.Some([]string{"calls:read"})},
		)
		if a.May(account.APIKeysWrite) != may || (err == nil) != may {
			t.Errorf("%s: may %v, a draft: %v", user, a.May(account.APIKeysWrite), err)
		}
	}
	other := k.found(t)
	if _, err := k.Authority(ctx, as(other, "eve"), other); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("one who is not in a workspace: %v", err)
	}
}

func TestADraftMakesNothingAndIsRefusedLikeACreation(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	k.join(t, ws, "dora", "Member")
	in := control.CreateKey{Workspace: ws, User: "dora", Name: "n", Permissions: control.Some([]string{"calls:write"})}
	if _, err := k.DraftKey(ctx, as(ws, "dora"), in); !fault.Is(err, fault.PermissionEscalation) {
		t.Errorf("a draft beyond the creator: %v", err)
	}
	in.Permissions = control.Some([]string{"calls:read"})
	d, err := k.DraftKey(ctx, as(ws, "dora"), in)
	must(t, err)
	if d.ID != "" || d.Value.Masked != "" {
		t.Errorf("a draft has an id or a value: %+v", d)
	}
	s, err := k.KeyStandings(ctx, k.root, ws)
	must(t, err)
	if s.Total != 0 {
		t.Errorf("%d keys were made", s.Total)
	}
}

func TestADryRunNamesTheKeysThatStopAndStopsNone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	k.join(t, ws, "dora", "Member")
	k.join(t, ws, "eve", "Viewer")
	for _, name := range []string{"one", "two"} {
		_, err := k.CreateKey(
			ctx,
			k.root,
			control.CreateKey{
				Workspace: ws, User: "dora", Name: name, Permissions: control.Some([]string{"calls:read", "api-keys:write"}),
			},
		)
		must(t, err)
	}
	for keys, want := range map[string]string{"stop": "stopped", "keep": "kept", "transfer:owner": "transferred",
		"transfer:eve": "stopped"} {
		r, err := k.RemoveMember(ctx, k.root, ws, "dora", control.RemoveMember{Keys: keys, DryRun: true})
		must(t, err)
		if len(r.Keys) != 2 || r.Keys[0].Outcome != want || !r.Keys[0].Working {
			t.Errorf("%s: %+v", keys, r.Keys)
		}
	}
	s, err := k.KeyStandings(ctx, k.root, ws)
	must(t, err)
	if s.Total != 2 || s.Disabled != 0 {
		t.Errorf("after dry runs: %+v", s)
	}
}
