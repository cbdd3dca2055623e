package control_test

import (
	"context"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// in is a calling user who works in a workspace; "" leaves that to the request.
func in(ws, user string) control.Caller {
	return person(ws, user)
}

// T5: a person's rights in one of their workspaces do not affect the others.
func TestT5APersonHoldsInEachWorkspaceWhatTheirRoleThereHolds(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, reads := inWorkspace(t)
	owns := k.found(t)
	k.join(t, reads, "ada", "Viewer")
	k.join(t, owns, "ada", "Owner")
	there := k.key(t, reads, "owner", "calls:read")
	for name, c := range map[string]control.Caller{"from the one": in(reads, "ada"), "from the other": in(owns, "ada"),
		"from nowhere": in("", "ada")} {
		create := func(ws string) error {
			_, err := k.CreateKey(ctx, c, control.CreateKey{Workspace: ws, User: "ada", Name: "k"})
			return err
		}
		if err := create(owns); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := create(reads); !fault.Is(err, fault.PermissionDenied) {
			t.Errorf("%s: a viewer made a key: %v", name, err)
		}
		if _, err := k.GetKey(ctx, c, string(there.Key.ID)); !fault.Is(err, fault.PermissionDenied) {
			t.Errorf("%s: somebody else's key: %v", name, err)
		}
		if err := k.DeleteKey(ctx, c, string(there.Key.ID)); !fault.Is(err, fault.PermissionDenied) {
			t.Errorf("%s: deleted: %v", name, err)
		}
		done, failed, err := k.UpdateKeys(ctx, c, []control.UpdateKey{{ID: string(there.Key.ID), Name: control.Some("x")}})
		if err != nil || len(done) > 0 || len(failed) != 1 || failed[0].Fault.Code != fault.PermissionDenied {
			t.Errorf("%s: %v %v %v", name, done, failed, err)
		}
		all, _, err := k.ListWorkspaces(ctx, c, control.Paging{})
		if err != nil || len(all) != 2 {
			t.Errorf("%s: %v %v", name, all, err)
		}
	}
	if _, _, err := k.ListKeys(ctx, in("", "nobody"), control.ListKeys{}); !fault.Is(err, fault.PermissionDenied) {
		t.Errorf("one who is nowhere: %v", err)
	}
	if _, _, err := k.ListKeys(ctx, in(reads, "nobody"), control.ListKeys{}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("one who is not there: %v", err)
	}
}

// An Idempotency-Key of one workspace is not one of another, for the same person.
func TestAReplayStaysInItsWorkspace(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, first := inWorkspace(t)
	second := k.found(t)
	ask := func(c control.Caller) control.Revealed {
		t.Helper()
		out, err := k.CreateKey(ctx, c, control.CreateKey{User: "owner", Name: "k", Once: control.Idempotency{Key: "once"}})
		must(t, err)
		return out
	}
	a, b := ask(in(first, "owner")), ask(in(second, "owner"))
	if a.Key.ID == b.Key.ID || b.Secret.IsZero() || string(b.Key.Workspace) != second {
		t.Errorf("a replay crossed over: %s, %s", a.Key.ID, b.Key.ID)
	}
	if again := ask(in(second, "owner")); again.Key.ID != b.Key.ID || !again.Secret.IsZero() {
		t.Error("no replay at home")
	}
	one, two := k.key(t, first, "owner"), k.key(t, second, "owner")
	x := ask(by(one))
	if y := ask(by(two)); x.Key.ID == y.Key.ID || string(y.Key.Workspace) != second {
		t.Error("a replay by a key crossed over")
	}
}

// T69: a caller whose session is another's, or has ended, is refused, also in the transaction itself.
func TestT69ASessionIsReadInEachTransaction(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	k.join(t, ws, "ada", "Admin")
	l, err := k.CreateSignInLink(ctx, k.root, control.CreateSignInLink{Workspace: ws, User: "ada"})
	must(t, err)
	started, err := k.RedeemSignInLink(ctx, control.Caller{Address: "203.0.113.7"}, l.Code.Reveal())
	must(t, err)
	ada := in(ws, "ada")
	ada.Session, ada.Presented = started.ID, started.Digest
	list := func(c control.Caller) error {
		_, _, err := k.ListKeys(ctx, c, control.ListKeys{})
		return err
	}
	must(t, list(ada))
	borrowed := in(ws, "owner")
	borrowed.Session, borrowed.Presented = started.ID, started.Digest
	if err := list(borrowed); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("another's session: %v", err)
	}
	root := k.root
	root.Session, root.Presented = started.ID, started.Digest
	if err := list(root); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a member's session as the root: %v", err)
	}
	must(t, k.EndSession(ctx, ada, string(started.ID)))
	if err := list(ada); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("after its end: %v", err)
	}
}

// T20, T10: an admin ends members' sessions, and only an owner an owner's.
func TestOnlyAnOwnerEndsAnOwnersSession(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	k.join(t, ws, "ada", "Admin")
	k.join(t, ws, "mia", "Member")
	enter := func(user string) string {
		l, err := k.CreateSignInLink(ctx, k.root, control.CreateSignInLink{Workspace: ws, User: user})
		must(t, err)
		s, err := k.RedeemSignInLink(ctx, control.Caller{}, l.Code.Reveal())
		must(t, err)
		return string(s.ID)
	}
	owners, mias := enter("owner"), enter("mia")
	if err := k.EndSession(ctx, in(ws, "ada"), owners); !fault.Is(err, fault.PermissionDenied) {
		t.Errorf("an owner's, by an admin: %v", err)
	}
	if err := k.EndSession(ctx, in(ws, "mia"), owners); !fault.Is(err, fault.PermissionDenied) {
		t.Errorf("an owner's, by a member: %v", err)
	}
	must(t, k.EndSession(ctx, in(ws, "ada"), mias))
	must(t, k.EndSession(ctx, in(ws, "owner"), owners))
	if err := k.EndSession(ctx, in(ws, "owner"), owners); !fault.Is(err, fault.NotFound) {
		t.Errorf("twice: %v", err)
	}
}

// A call that names no workspace works in the one that the person joined first, also after they were added to any
// number of others.
func TestBeingAddedElsewhereChangesNothingForAPerson(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, older := inWorkspace(t)
	home := k.found(t)
	k.join(t, home, "ada", "Admin")
	made := func() string {
		t.Helper()
		out, err := k.CreateKey(ctx, in("", "ada"), control.CreateKey{User: "ada", Name: "k"})
		must(t, err)
		return string(out.Key.Workspace)
	}
	for _, elsewhere := range []string{older, k.found(t)} {
		time.Sleep(2 * time.Millisecond)
		k.join(t, elsewhere, "ada", "Admin")
		if got := made(); got != home {
			t.Errorf("after she was added elsewhere her call went to %s, want %s", got, home)
		}
	}
	k.join(t, home, "ada", "Viewer") // a change of role is no new membership
	if _, err := k.CreateKey(ctx, in("", "ada"), control.CreateKey{User: "ada", Name: "k"}); !fault.Is(
		err, fault.PermissionDenied,
	) {
		t.Errorf("as a viewer at home: %v", err)
	}
}

func TestWhoMayMakeWorkspaces(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, anyone := range []bool{false, true} {
		k := newKit(t, t.TempDir(), func(c *control.Config) { c.AnyoneCreatesWorkspaces = anyone })
		t.Cleanup(func() { must(t, k.db.Close()) })
		ws := k.found(t)
		k.join(t, ws, "ada", "Viewer")
		operators, err := k.CreateServiceKey(ctx, k.root, control.CreateServiceKey{Name: "m", Scopes: []string{"manage"}})
		must(t, err)
		portal, err := k.CreateServiceKey(
			ctx, k.root, control.CreateServiceKey{Name: "p", Scopes: []string{"portal", "verify"}},
		)
		must(t, err)
		owner := control.Some(control.OwnerInput{User: "eva", Email: "eva@example.org"})
		for name, c := range map[string]struct {
			caller control.Caller
			owner  control.Optional[control.OwnerInput]
			may    bool
		}{
			"an operator": {operator(operators), owner, true}, "the root": {k.root, owner, true},
			"another service key": {operator(portal), owner, false},
			"an owner":            {in(ws, "owner"), control.Optional[control.OwnerInput]{}, anyone},
			"a viewer":            {in("", "ada"), control.Optional[control.OwnerInput]{}, anyone},
			"an API key":          {by(k.key(t, ws, "owner")), owner, false},
		} {
			_, err := k.CreateWorkspace(ctx, c.caller, control.CreateWorkspace{Name: "new", Owner: c.owner})
			if c.may && err != nil || !c.may && !fault.Is(err, fault.PermissionDenied) {
				t.Errorf("anyone %v, %s: %v", anyone, name, err)
			}
		}
	}
}
