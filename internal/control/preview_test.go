package control_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

// codeOf is the refusal in one word, "" for none.
func codeOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return string(f.Code)
	}
	return fmt.Sprint(err)
}

func TestAPreviewOfARemovalCountsWhatTheRemovalDoesT104(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	random := rand.New(rand.NewPCG(1, 2))
	counted := 0
	for round := range 24 {
		user, heir, boss := fmt.Sprint("u", round), fmt.Sprint("h", round), fmt.Sprint("b", round)
		k.join(t, ws, user, []string{"Admin", "Member", "Owner"}[round%3])
		k.join(t, ws, heir, []string{"Viewer", "Member", "Admin"}[random.IntN(3)])
		k.join(t, ws, boss, []string{"Owner", "Admin"}[random.IntN(2)])
		for i := range 12 {
			var permissions []string
			if i%3 > 0 {
				permissions = []string{[]string{"calls:read", "api-keys:read"}[i%2]}
			}
			one := k.key(t, ws, user, permissions...)
			switch random.IntN(4) {
			case 0:
				_, _, err := k.UpdateKeys(
					t.Context(), k.root, []control.UpdateKey{{ID: string(one.Key.ID), IsActive: control.Some(false)}},
				)
				must(t, err)
			case 1:
				must(t, k.RevokeByValue(t.Context(), k.root, one.Key.ID, one.Key.Value.Digest.Sum))
			}
		}
		callers := map[string]control.Caller{"root": k.root, "boss": person(ws, boss)}
		bossKey := k.key(t, ws, boss)
		callers["boss's key"] = by(bossKey)
		for name, caller := range callers {
			for _, keys := range []string{"bad", "transfer:nobody", "transfer:" + user, "transfer:" + heir, "keep", "stop"} {
				if keys != "bad" && keys[0] != 't' && round%2 == 0 && random.IntN(2) == 0 {
					continue // or the first way that is allowed would always be the same
				}
				in := control.RemoveMember{Keys: keys, DryRun: true}
				foretold, refusal := k.RemoveMember(t.Context(), caller, ws, user, in)
				in.DryRun = false
				done, err := k.RemoveMember(t.Context(), caller, ws, user, in)
				foretold.Keys = nil
				foretold.Removal, foretold.Until = done.Removal, done.Until // a look keeps nothing to undo
				if diff := cmp.Diff(done, foretold); err == nil && diff != "" {
					t.Errorf("round %d, %s, %s: (-removal +preview)\n%s", round, name, keys, diff)
				}
				if codeOf(err) != codeOf(refusal) {
					t.Errorf("round %d, %s, %s: the removal says %v, the preview %v", round, name, keys, err, refusal)
				}
				if err == nil {
					counted += done.Stopped + done.Kept + done.Transferred
				}
			}
		}
	}
	if counted < 100 {
		t.Errorf("%d keys were settled: too few to tell anything", counted)
	}
}

func TestAPreviewTakesNoTurnOfTheWriterT104(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	k.join(t, ws, "leaver", "Member")
	k.key(t, ws, "leaver")
	held, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := k.db.Update(context.Background(), func(*store.Tx) error {
			close(held)
			<-release
			return nil
		})
		done <- err
	}()
	<-held
	answered := make(chan error, 1)
	go func() {
		_, err := k.RemoveMember(context.Background(), k.root, ws, "leaver", control.RemoveMember{DryRun: true})
		answered <- err
	}()
	select {
	case err := <-answered:
		must(t, err)
	case <-time.After(5 * time.Second):
		t.Error("a preview waits for the writer")
	}
	close(release)
	must(t, <-done)
}
