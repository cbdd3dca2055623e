package server

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/keyward/keyward/internal/database"
	"github.com/keyward/keyward/internal/store/postgres"
)

// reread is a setting whose files are read again when one of them changes, and at SIGHUP. An unreadable file leaves
// the value before in place. It is safe for concurrent use.
type reread struct {
	what  string          // for the log
	files func() []string // that count now
	read  func() error
	log   *slog.Logger

	mu   sync.Mutex
	seen map[string]fileState // those that were read last, good or not
}

// rereads adds one. It was read when the server was made.
func (s *Server) rereads(what string, files func() []string, read func() error) {
	r := &reread{what: what, files: files, read: read, log: s.log}
	r.seen = r.states()
	s.reread = append(s.reread, r)
}

func (r *reread) states() map[string]fileState {
	states := map[string]fileState{}
	for _, file := range r.files() {
		states[file] = stateOf(file)
	}
	return states
}

// look reads again if a file has changed.
func (r *reread) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for file, now := range r.states() {
		if !now.same(r.seen[file]) {
			r.again()
			return
		}
	}
}

// reload reads again.
func (r *reread) reload() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.again()
}

func (r *reread) again() {
	r.seen = r.states()
	if err := r.read(); err != nil {
		r.log.Error(r.what+" was not read again: the one before goes on to hold", "error", err.Error())
		return
	}
	r.log.Info(r.what+" was read again", "files", r.files())
}

// lookAtFiles looks at all of them.
func (s *Server) lookAtFiles(context.Context) {
	for _, r := range s.reread {
		r.look()
	}
}

// readProxies reads the trusted proxies, and again later where a file names them.
func (s *Server) readProxies(context.Context) error {
	read := func() error {
		all, err := s.cfg.Proxies()
		if err == nil {
			s.proxies.Set(all)
		}
		return err
	}
	if err := read(); err != nil {
		return err
	}
	if file := s.cfg.TrustedProxiesFile; file != "" {
		s.rereads("the list of trusted proxies", func() []string { return []string{file} }, read)
	}
	return nil
}

// followDatabase has new connections to PostgreSQL take the password and the certificates that stand in their files
// then.
func (s *Server) followDatabase(d database.Driver) {
	if p, ok := d.(*postgres.Driver); ok && len(p.Files()) > 0 {
		s.rereads("what the database is reached with", p.Files, p.Reread)
	}
}

// without are the texts that are not empty.
func without(texts ...string) []string {
	return slices.DeleteFunc(texts, func(t string) bool { return t == "" })
}
