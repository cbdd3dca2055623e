package cli_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
	"github.com/keyward/keyward/keywardtest"
)

// leftBehind has a database believe that it is later than it is, as after hours with a wrong clock.
func leftBehind(t *testing.T, file string, ahead time.Duration) {
	t.Helper()
	now := time.Now().UTC()
	d, err := sqlite.Open(file, sqlite.Options{Lock: true})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(
		t.Context(), d, store.Options{Now: func() time.Time { return now.Round(0) }, Catalogue: perm.Builtin()},
	)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(ahead)
	if err := db.MarkTime(t.Context()); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestT103WhatAWrongClockLeftBehindIsReleasedByCommand(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keyward.db")
	url := "sqlite:" + file
	var created keyward.CreatedKey
	t.Run("a good start", func(t *testing.T) {
		s := keywardtest.New(t, keywardtest.WithDatabase(file))
		soon := time.Now().AddDate(0, 3, 0)
		var err error
		created, err = s.Client().
			CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: s.Workspace(t, "Acme", "ada"), UserID: "ada",
				Name: "comes back", ExpiresAt: &soon})
		if err != nil {
			t.Fatal(err)
		}
		if code, _, errs := run(t, "", "time", "reset", "--yes", "--database-url", url); code == 0 {
			t.Errorf("beside a server: status 0, %s", errs)
		}
	})
	if code, out, errs := run(t, "", "time", "reset", "--database-url", url); code != 0 ||
		!strings.Contains(out, "already") {
		t.Errorf("with nothing to reset: %d, %s%s", code, out, errs)
	}
	leftBehind(t, file, 3*365*24*time.Hour)
	t.Run("the clock is right again", func(t *testing.T) {
		var log rig.Output
		s := keywardtest.New(t, keywardtest.WithDatabase(file), keywardtest.WithLog(&log))
		if code := verdict(t, s, created.Key); code != keyward.VerdictExpired {
			t.Errorf("before the reset: %s", code)
		}
		if !strings.Contains(log.String(), "keyward time reset") {
			t.Errorf("the start does not name the command:\n%s", log.String())
		}
	})
	_, out, _ := run(t, "", "doctor", "--database-url", url)
	if !strings.Contains(out, "keyward time reset") || !strings.Contains(out, "if the clock is wrong") {
		t.Errorf("doctor says:\n%s", out)
	}
	for in, want := range map[string]int{"": 1, "no\n": 1} {
		code, out, errs := run(t, in, "time", "reset", "--database-url", url)
		if code != want || !strings.Contains(out, created.APIKey.ID) || !strings.Contains(out, "comes back") ||
			!strings.Contains(out, "Nothing was changed") {
			t.Errorf("asked, and answered %q: status %d\n%s%s", in, code, out, errs)
		}
	}
	if code, out, errs := run(t, "yes\n", "time", "reset", "--database-url", url); code != 0 ||
		!strings.Contains(out, "1 API keys") {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	t.Run("after the reset", func(t *testing.T) {
		s := keywardtest.New(t, keywardtest.WithDatabase(file))
		if code := verdict(t, s, created.Key); code != keyward.VerdictValid {
			t.Errorf("after the reset: %s", code)
		}
		logs, err := s.Client().ListLogs(t.Context(), keyward.ListLogsOptions{EventType: "time.reset"})
		if err != nil || len(logs.Logs) != 1 || logs.Logs[0].WorkspaceID != "" ||
			time.Since(logs.Logs[0].CreatedAt) > time.Hour {
			t.Errorf("%+v, %v", logs.Logs, err)
		}
	})
	if _, out, _ := run(t, "", "doctor", "--database-url", url); strings.Contains(out, "time reset") ||
		!strings.Contains(out, "each as it was written") {
		t.Errorf("doctor says afterwards:\n%s", out)
	}
}

func verdict(t *testing.T, s *keywardtest.Server, key keyward.Secret) keyward.VerdictCode {
	t.Helper()
	v, err := s.Client().Verify(t.Context(), keyward.VerifyRequest{Key: key.Reveal()})
	if err != nil {
		t.Fatal(err)
	}
	return v.Code
}
