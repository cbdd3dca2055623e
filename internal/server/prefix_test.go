package server_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/server"
)

func TestKeysOfAnEarlierPrefixWorkOn(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"this program", "one that remembered no prefix"} {
		cfg := settings(t)
		s, stop := start(t, cfg, server.Options{})
		root := s.Minted().Reveal()
		old := limited(t, client(t, s, root), 0, 0)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if before != "this program" {
			script := "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute('DELETE FROM key_prefixes')"
			if out, err := exec.Command("python3", "-c", script, cfg.Database).CombinedOutput(); err != nil {
				t.Fatal(err, string(out))
			}
		}
		for _, prefix := range []string{"acme", "other"} { // and a third one after the second
			cfg.KeyPrefix = prefix
			var log logged
			s, stop = start(t, cfg, server.Options{Log: &log})
			c := client(t, s, root) // which has the first prefix
			if got := codes(t, c, old, 1); got != "VALID" {
				t.Errorf("a database of %s, with prefix %s: the old key is %s", before, prefix, got)
			}
			fresh := limited(t, c, 0, 0)
			if !strings.HasPrefix(fresh, prefix+"_live_") || codes(t, c, fresh, 1) != "VALID" {
				t.Errorf("with prefix %s a new key does not work, or has another", prefix)
			}
			_, err := c.CreateWorkspace(
				t.Context(), keyward.CreateWorkspaceRequest{Name: old, Owner: &keyward.Owner{UserID: old, Email: old}},
			)
			if err != nil && strings.Contains(err.Error(), old[8:]) || log.count(old[8:30]) > 0 {
				t.Errorf("with prefix %s the old key shows in an error or in the log: %v", prefix, err)
			}
			old = fresh
			if err := stop(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestARootKeyOfAPrefixThatWasNeverGivenIsRefused(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	f, err1 := keyfmt.NewFormat("stranger")
	root, err2 := f.Mint(strings.NewReader(strings.Repeat("x", 32)), keyfmt.Service)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	cfg.RootKey = root
	_, err := server.New(t.Context(), cfg, server.Options{})
	if err == nil || !strings.Contains(err.Error(), "KEYWARD_ROOT_KEY: begins with stranger_") ||
		strings.Contains(err.Error(), root.Reveal()) {
		t.Errorf("%v", err)
	}
}
