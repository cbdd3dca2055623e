package control_test

import (
	"context"
	"sync"
	"testing"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// T9: authority is read in the transaction that uses it. Whoever's key is disabled while they mint with it has minted nothing after
// the moment at which it was disabled, as the log has it.
func TestT9NothingIsMintedAfterTheMintersKeyWasDisabled(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	k.join(t, ws, "admin", "Admin")
	ctx := context.Background()
	for range 40 {
		admin := k.key(t, ws, "admin")
		caller := control.Caller{APIKey: admin.Key.ID}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 3 {
					_, err := k.CreateKey(ctx, caller, control.CreateKey{User: "admin", Name: "late", Permissions: control.Some([]string{})})
					if err != nil && !fault.Is(err, fault.Unauthenticated) {
						t.Errorf("mint: %v", err)
					}
				}
			})
		}
		wg.Go(func() {
			_, failed, err := k.UpdateKeys(ctx, k.root, []control.UpdateKey{{ID: string(admin.Key.ID), IsActive: control.Some(false)}})
			if err != nil || len(failed) > 0 {
				t.Errorf("disable: %v %v", err, failed)
			}
		})
		wg.Wait()
		noMintAfterDisable(t, k, ws)
	}
}

// noMintAfterDisable reads the newest events: above the one that disabled the key nothing was minted by it.
func noMintAfterDisable(t *testing.T, k *kit, ws string) {
	t.Helper()
	logs, err := k.ListLogs(context.Background(), k.root, control.ListLogs{Workspace: ws, Limit: 20})
	must(t, err)
	for _, e := range logs.Events {
		if e.Type == audit.APIKeyUpdated {
			return
		}
		if e.Type == audit.APIKeyCreated && e.ActorID == "admin" {
			t.Fatalf("%s was minted after its minter's key had been disabled", e.Metadata)
		}
	}
	t.Fatal("no event says that the key was disabled")
}

// T5, T7: a removed member's keys stop in the same transaction, stay stopped when the member is back, and can be enabled then.
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

// A dry run answers what would be and leaves no trace.
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

// T19: a creation that is repeated under its Idempotency-Key makes one key and shows its value once.
func TestT19ARepeatedCreationMakesOneKeyAndShowsItOnce(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	in := control.CreateKey{Workspace: ws, User: "owner", Name: "once", IdempotencyKey: "abc"}
	var shown, made sync.Map
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			out, err := k.CreateKey(context.Background(), k.root, in)
			if err != nil {
				t.Errorf("create: %v", err)
				return
			}
			made.Store(out.Key.ID, true)
			if !out.Secret.IsZero() {
				if _, again := shown.LoadOrStore("shown", true); again {
					t.Error("the value was shown twice")
				}
			}
		})
	}
	wg.Wait()
	n := 0
	made.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d keys were made", n)
	}
	in.Name = "another"
	if _, err := k.CreateKey(context.Background(), k.root, in); !fault.Is(err, fault.Conflict) {
		t.Errorf("another request under the same Idempotency-Key: %v", err)
	}
}
