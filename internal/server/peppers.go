package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/keyfmt"
)

// peppersEvery is how often a node that shares its database looks whether it still knows every pepper that is in use.
const peppersEvery = 2 * time.Second

// checkPeppers refuses a start in which some keys could never be recognised.
func (s *Server) checkPeppers(ctx context.Context) error {
	used, err := s.db.Peppers(ctx)
	if err != nil {
		return fmt.Errorf("look at the peppers in use: %w", err)
	}
	return s.lacking(used)
}

// lacking is the first pepper, or secret of an import, that the database needs and this process does not have.
func (s *Server) lacking(used []keyfmt.PepperID) error {
	switch p := s.lackingPepper(used); {
	case p == "":
		return nil
	case p.Secret() != "" && slices.Contains(s.digester.ImportSecrets(), p.Secret()):
		return fmt.Errorf(
			"KEYWARD_IMPORT_SECRETS: the secret %s is another one than that of the digests in the database", p.Secret(),
		)
	case p.Secret() != "":
		return fmt.Errorf(
			"KEYWARD_IMPORT_SECRETS: the database holds imported digests that need the secret %s: add it", p.Secret(),
		)
	case p == keyfmt.NoPepper:
		return fmt.Errorf(
			"KEYWARD_PEPPER_PREVIOUS: the database holds keys that were made without a pepper: add the word none",
		)
	case s.cfg.Pepper.IsZero():
		return fmt.Errorf(
			"KEYWARD_PEPPER: the database holds keys that were made under a pepper (its identifier is %s): set it", p,
		)
	default:
		return fmt.Errorf(
			"KEYWARD_PEPPER_PREVIOUS: the database holds keys that were made under another pepper than those given "+
				"(its identifier is %s): add it",
			p,
		)
	}
}

// lackingPepper names it; "" for none.
func (s *Server) lackingPepper(used []keyfmt.PepperID) keyfmt.PepperID {
	for _, p := range used {
		if s.digester.Knows(p) {
			continue
		}
		if own, ok := p.Own(); ok {
			return own
		}
		return p
	}
	return ""
}

// watchPeppers notices that another node has made keys under a pepper that this one does not have. It would answer that
// there are no such keys, so it says that it is not ready, and why, until it was started with that pepper or the last
// such key is gone.
func (s *Server) watchPeppers(ctx context.Context) {
	used, err := s.db.Peppers(ctx)
	if err != nil {
		return // a database that is away is told elsewhere
	}
	now, was := "", s.lacks()
	if lacking := s.lacking(used); lacking != nil {
		now = lacking.Error()
	}
	s.lack.Store(&now)
	s.node.Lacks(string(s.lackingPepper(used)))
	switch {
	case now == was:
	case now == "":
		s.log.Info("every pepper in use is known again")
	default:
		s.log.Error("another node makes keys that this one cannot recognise: it says that it is not ready", "why", now)
	}
}

// lacks says which pepper is lacking; "" for none.
func (s *Server) lacks() string {
	if l := s.lack.Load(); l != nil {
		return *l
	}
	return ""
}
