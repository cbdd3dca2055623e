package control_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

func TestWhatSignsNobodyInTakesNoTurnOfTheWriterT105(t *testing.T) {
	t.Parallel()
	k, _ := inWorkspace(t)
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
	defer func() {
		close(release)
		must(t, <-done)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for _, code := range []string{"", "x", "keyward_link_" + strings.Repeat("A", 43)} {
			if _, err := k.RedeemSignInLink(ctx, control.Caller{}, code); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("code %q: %v", code, err)
			}
		}
		if _, err := k.StartSession(ctx, control.Caller{}, "stranger"); !fault.Is(err, fault.PermissionDenied) {
			t.Errorf("a person who is in no workspace: %v", err)
		}
	}()
	select {
	case <-answered:
	case <-ctx.Done():
		t.Fatal("a wrong code waits for the writer")
	}
}
