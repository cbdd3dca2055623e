package server_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/server"
)

func client(t *testing.T, s *server.Server, token string) *keyward.Client {
	t.Helper()
	c, err := keyward.New(s.URL(), keyward.WithToken(token))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnExpiredKeyStaysSoAfterARestartWithTheClockSetBackT31(t *testing.T) {
	t.Parallel()
	var offset atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	cfg := settings(t)
	s, stop := start(t, cfg, server.Options{Now: now})
	root := s.Minted().Reveal()
	c := client(t, s, root)
	w, err := c.CreateWorkspace(
		t.Context(),
		keyward.CreateWorkspaceRequest{Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	at := now().Add(30 * time.Second)
	k, err := c.CreateKey(
		t.Context(), keyward.CreateKeyRequest{WorkspaceID: w.ID, UserID: "ada", Name: "k", ExpiresAt: &at},
	)
	if err != nil {
		t.Fatal(err)
	}
	offset.Store(int64(50 * time.Second)) // no more than a clock may be set without a jump
	if _, err := c.UpdateWorkspace(t.Context(), w.ID, keyward.WorkspaceUpdate{Name: keyward.Set("Acme 2")}); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	offset.Store(-int64(time.Hour))
	s, _ = start(t, cfg, server.Options{Now: now})
	v, err := client(t, s, root).Verify(t.Context(), keyward.VerifyRequest{Key: k.Key.Reveal()})
	if err != nil || v.Code != keyward.VerdictExpired {
		t.Errorf("%s, %v", v.Code, err)
	}
}
