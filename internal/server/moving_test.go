package server_test

import (
	"context"
	"errors"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/server"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// moving opens the file as a mover does, beside its server.
func moving(t *testing.T, cfg config.Config, do func(context.Context, *sqlite.Driver) error) {
	t.Helper()
	d, err := sqlite.Open(cfg.Database, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(do(t.Context(), d), d.Close()); err != nil {
		t.Fatal(err)
	}
}

// A server that is restarted while its file is being moved verifies by the limits as they stood, and takes changes
// again once it may.
func TestAServerStartsOnAFileThatIsBeingMoved(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	s, stop := start(t, cfg, server.Options{})
	root := s.Minted().Reveal()
	c := client(t, s, root)
	minute := limited(t, c, 5, 0)
	codes(t, c, minute, 3)
	change := func() error {
		_, err := c.CreateWorkspace(
			t.Context(),
			keyward.CreateWorkspaceRequest{Name: "Other", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"}},
		)
		return err
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	moving(t, cfg, func(ctx context.Context, d *sqlite.Driver) error { return d.Freeze(ctx, "postgres://elsewhere") })

	s, stop = start(t, cfg, server.Options{})
	c = client(t, s, root)
	if got := codes(t, c, minute, 3); got != "VALID VALID RATE_LIMITED" {
		t.Errorf("the minute after a restart: %s", got)
	}
	var refused *keyward.Error
	if err := change(); !errors.As(err, &refused) || refused.Status != 503 {
		t.Errorf("a change: %v", err)
	}
	moving(t, cfg, func(ctx context.Context, d *sqlite.Driver) error { return d.Thaw(ctx) })
	err := change()
	for range 100 { // it may still find the file held, or be reading it anew
		if !errors.As(err, &refused) || refused.Status != 503 {
			break
		}
		err = change()
	}
	if err != nil {
		t.Errorf("a change after the move was given up: %v", err)
	}
	moving(t, cfg, func(ctx context.Context, d *sqlite.Driver) error {
		return errors.Join(d.Freeze(ctx, "postgres://elsewhere"), d.Leave(ctx))
	})
	if err := stop(); err != nil {
		t.Errorf("a server does not stop in order when its file has gone: %v", err)
	}
	if _, err := server.New(t.Context(), cfg, server.Options{}); err == nil {
		t.Error("a server starts on a file that was moved")
	}
}
