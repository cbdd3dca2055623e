package pgtest

import (
	"fmt"
	"slices"
	"testing"
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
	out, err := copied.command("pg_basebackup", "-d", source, "-D", copied.data(), "-R", "-X", "stream", "-c", "fast").CombinedOutput()
	if err != nil {
		t.Fatalf("pg_basebackup: %v: %s", err, out)
	}
	if err := copied.Up(); err != nil {
		t.Fatal(err)
	}
	return copied
}

// Promote makes a standby a server of its own, on a timeline of its own.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	s.Run(t, "postgres", "SELECT pg_promote(true, 60)")
}
