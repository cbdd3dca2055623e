package pgtest

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// Standby makes a copy of the server that follows it, until Promote puts it in the server's place. The test removes it.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	copied, err := place()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(copied.Remove)
	copied.options = append(slices.Clone(s.options), "-c", "synchronous_standby_names=") // promoted, it waits for nobody
	source := fmt.Sprintf("host=127.0.0.1 port=%d user=postgres application_name=standby", s.Port)
	out, err := copied.command("pg_basebackup", "-d", source, "-D", copied.data(), "-R", "-X", "stream", "-c", "fast").
		CombinedOutput()
	if err != nil {
		t.Fatalf("pg_basebackup: %v: %s", err, out)
	}
	if err := copied.Up(); err != nil {
		t.Fatal(err)
	}
	return copied
}

// CatchUp waits until a standby has applied everything that its primary has written.
func (s *Server) CatchUp(t testing.TB, primary *Server) {
	t.Helper()
	at := Run(t, primary.URL("postgres"), "SELECT pg_current_wal_lsn()")[0]
	for range 3000 {
		if Run(t, s.URL("postgres"), fmt.Sprintf("SELECT pg_last_wal_replay_lsn() >= '%s'", at))[0] == "t" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the standby does not catch up")
}

// Pause cuts a standby off: later writes of its primary never reach it.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.Run(t, "postgres", "ALTER SYSTEM SET primary_conninfo = ''")
	s.Run(t, "postgres", "SELECT pg_reload_conf()")
	for range 3000 {
		if len(Run(t, s.URL("postgres"), "SELECT 1 FROM pg_stat_wal_receiver")) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the standby goes on receiving")
}

// Promote makes a standby a server of its own, on a timeline of its own.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	s.Run(t, "postgres", "SELECT pg_promote(true, 60)")
}
