package control_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

// T9: authority is read in the transaction that uses it. A caller that loses it during a creation has made no key
// after the moment of the loss, as the log has it: for every way of losing it, and with any other work in the same
// commit.
func TestT9NothingIsMintedAfterTheRightToItWasTaken(t *testing.T) {
	t.Parallel()
	const right = "calls:write"
	for name, how := range map[string]func(t *testing.T, k *kit, ws string) (minter control.Caller, take func() error,
		told audit.Type){
		"the key that calls is disabled": func(t *testing.T, k *kit, ws string) (control.Caller, func() error, audit.Type) {
			key := k.key(t, ws, "admin")
			return by(key), func() error {
				_, failed, err := k.UpdateKeys(context.Background(), k.root,
					[]control.UpdateKey{{ID: string(key.Key.ID), IsActive: control.Some(false)}})
				for _, f := range failed {
					err = errors.Join(err, f.Fault)
				}
				return err
			}, audit.APIKeyUpdated
		},
		"the key that calls is rotated": func(t *testing.T, k *kit, ws string) (control.Caller, func() error, audit.Type) {
			key := k.key(t, ws, "admin")
			return by(key), func() error {
				_, err := k.RotateKey(context.Background(), k.root, string(key.Key.ID), 0)
				return err
			}, audit.APIKeyRotated
		},
		"the root key of the environment is replaced": func(t *testing.T, k *kit, ws string) (control.Caller, func() error,
			audit.Type) {
			return k.environmentRoot(t), func() error {
				_, err := k.EnsureRoot(context.Background(), k.secret(t))
				return err
			}, audit.ServiceKeyDeleted
		},
		"the member gets another role": func(t *testing.T, k *kit, ws string) (control.Caller, func() error, audit.Type) {
			k.join(t, ws, "admin", "Admin")
			viewer := string(k.roles(t, ws)["Viewer"].ID)
			return person(ws, "admin"), func() error {
				_, err := k.UpdateMember(context.Background(), k.root, ws, "admin",
					control.UpdateMember{Role: control.Some(viewer)})
				return err
			}, audit.MemberUpdated
		},
		"the role loses it": func(t *testing.T, k *kit, ws string) (control.Caller, func() error, audit.Type) {
			role, err := k.CreateRole(context.Background(), k.root, ws,
				control.CreateRole{Name: "Minter " + rand.Text(), Permissions: []string{right, account.APIKeysWrite}})
			must(t, err)
			k.join(t, ws, "admin", role.Name)
			return person(ws, "admin"), func() error {
				_, err := k.UpdateRole(context.Background(), k.root, ws, string(role.ID),
					control.UpdateRole{Permissions: control.Some([]string{account.APIKeysWrite})})
				return err
			}, audit.RoleUpdated
		},
		"the member leaves": func(t *testing.T, k *kit, ws string) (control.Caller, func() error, audit.Type) {
			k.join(t, ws, "admin", "Admin")
			return person(ws, "admin"), func() error {
				_, err := k.RemoveMember(context.Background(), k.root, ws, "admin", control.RemoveMember{})
				return err
			}, audit.MemberRemoved
		},
		"the service key is deleted": func(t *testing.T, k *kit, ws string) (control.Caller, func() error, audit.Type) {
			k.join(t, ws, "admin", "Admin")
			service, err := k.CreateServiceKey(context.Background(), k.root,
				control.CreateServiceKey{Name: "s", Scopes: []string{"manage"}})
			must(t, err)
			return operator(service), func() error {
				return k.DeleteServiceKey(context.Background(), k.root, string(service.ServiceKey.ID))
			}, audit.ServiceKeyDeleted
		},
		"the workspace is switched off": func(t *testing.T, k *kit, ws string) (control.Caller, func() error, audit.Type) {
			_, err := k.UpdateWorkspace(context.Background(), k.root, ws, control.UpdateWorkspace{IsActive: control.Some(true)})
			must(t, err)
			return by(k.key(t, ws, "admin")), func() error {
				_, err := k.UpdateWorkspace(context.Background(), k.root, ws,
					control.UpdateWorkspace{IsActive: control.Some(false)})
				return err
			}, audit.WorkspaceUpdated
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, ws := inWorkspace(t)
			k.join(t, ws, "admin", "Admin")
			for range 20 {
				minter, take, told := how(t, k, ws)
				mintWhile(t, k, minter, ws, right, take)
				noMintAfter(t, k, told)
			}
		})
	}
}

// mintWhile has the minter, and the root beside them, mint until the right has been taken and the minter is refused.
func mintWhile(t *testing.T, k *kit, minter control.Caller, ws, right string, take func() error) {
	t.Helper()
	ctx := context.Background()
	var wg sync.WaitGroup
	for _, who := range []control.Caller{minter, minter, minter, minter, k.root, k.root} {
		wg.Go(func() {
			for range 3 {
				_, err := k.CreateKey(
					ctx, who,
					control.CreateKey{Workspace: ws, User: "admin", Name: "late", Permissions: control.Some([]string{right})},
				)
				if err != nil && !fault.Is(err, fault.Unauthenticated) && !fault.Is(err, fault.PermissionDenied) &&
					!fault.Is(err, fault.PermissionEscalation) && !fault.Is(err, fault.NotFound) {
					t.Errorf("mint: %v", err)
				}
			}
		})
	}
	wg.Go(func() {
		if err := take(); err != nil {
			t.Errorf("take: %v", err)
		}
	})
	wg.Wait()
}

// noMintAfter reads the newest events: after the one that took the right away, its former holder made no key.
func noMintAfter(t *testing.T, k *kit, told audit.Type) {
	t.Helper()
	must(t, k.db.View(context.Background(), func(v *store.View) error {
		events, err := v.Logs(store.LogFilter{All: true, Limit: 40})
		for _, e := range events {
			if e.Type == told {
				return err
			}
			if e.Type == audit.APIKeyCreated && e.ActorID != string(k.root.ServiceKey) {
				t.Fatalf("%s minted %s after %s", e.ActorID, e.Metadata, told)
			}
		}
		return errors.Join(err, fmt.Errorf("no event is a %s", told))
	}))
}

// T5, T7: a removed member's keys stop in the same transaction, stay stopped when the member is back, and can be
// enabled then.
func TestT5AStoppedKeyStaysStoppedWhenItsCreatorIsBack(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	k.join(t, ws, "u", "Member")
	key := string(k.key(t, ws, "u").Key.ID)
	enable := func() error {
		_, failed, err := k.UpdateKeys(ctx, k.root, []control.UpdateKey{{ID: key, IsActive: control.Some(true)}})
		if len(failed) > 0 {
			err = failed[0].Fault
		}
		return err
	}
	out, err := k.RemoveMember(ctx, k.root, ws, "u", control.RemoveMember{})
	must(t, err)
	if out.Stopped != 1 {
		t.Fatalf("%d keys stopped", out.Stopped)
	}
	if err := enable(); !fault.Is(err, fault.Conflict) {
		t.Fatalf("enabling the key of one who has left: %v", err)
	}
	k.join(t, ws, "u", "Viewer")
	if got, err := k.GetKey(ctx, k.root, key); err != nil || got.IsActive {
		t.Fatalf("the key of one who is back is active: %v, %v", got.IsActive, err)
	}
	must(t, enable())
}

// A dry run answers the outcome and leaves no trace.
func TestADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	k.join(t, ws, "u", "Member")
	key := k.key(t, ws, "u")
	before, err := k.ListLogs(ctx, k.root, control.ListLogs{Workspace: ws})
	must(t, err)
	out, err := k.RemoveMember(ctx, k.root, ws, "u", control.RemoveMember{Keys: "keep", DryRun: true})
	must(t, err)
	after, err := k.ListLogs(ctx, k.root, control.ListLogs{Workspace: ws})
	must(t, err)
	if out.Kept != 1 || before.Total != after.Total {
		t.Errorf("kept %d; the log went from %d to %d events", out.Kept, before.Total, after.Total)
	}
	if got, err := k.GetKey(ctx, k.root, string(key.Key.ID)); err != nil || got.Orphan {
		t.Errorf("the key was changed: %v", err)
	}
}
