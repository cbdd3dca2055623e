package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/keyfmt"
)

const (
	alikeEvery = time.Second     // the settings of the other nodes are compared; they are heard of with each heartbeat
	rootsEvery = 2 * time.Second // root keys that no node sets any more are looked for
)

// settingNames say of each setting that nodes compare which variable it comes from.
var settingNames = map[string]string{
	cluster.SettingRootKey: "KEYWARD_ROOT_KEY", cluster.SettingCatalogue: "KEYWARD_CATALOGUE",
	cluster.SettingPepper: "KEYWARD_PEPPER",
}

// watchAlike says in one line when other nodes begin, or cease, to have other settings than this one.
func (s *Server) watchAlike(context.Context) {
	now, was := s.differenceNote(), s.differed
	s.differed = now
	switch {
	case now == was:
	case now == "":
		s.log.Info("all nodes have the same root key, catalogue and pepper again")
	default:
		s.log.Warn(
			"nodes of this installation are not set alike: finish the change, or give all of them the same", "differs", now,
		)
	}
}

// differenceNote says in which settings other live nodes differ from this one; "" for none.
func (s *Server) differenceNote() string {
	if s.node == nil {
		return ""
	}
	var parts []string
	for _, d := range s.node.Disagreements() {
		parts = append(
			parts, fmt.Sprintf("%s: %d of %d other nodes have another", settingNames[d.Setting], d.Others, d.Among),
		)
	}
	return strings.Join(parts, "; ")
}

// nodesThatDiffer are the gauges of it.
func (s *Server) nodesThatDiffer() map[string]func() float64 {
	all := map[string]func() float64{}
	for _, setting := range cluster.Settings() {
		all[setting] = func() float64 {
			for _, d := range s.node.Disagreements() {
				if d.Setting == setting {
					return float64(d.Others)
				}
			}
			return 0
		}
	}
	return all
}

// steady is for how long this node could have heard of others.
func (s *Server) steady() time.Duration {
	if s.node == nil {
		return 0
	}
	return s.node.Steady()
}

// ensureRoot comes late, so that a key that was minted is also told.
func (s *Server) ensureRoot(ctx context.Context) (err error) {
	roots, err := s.control.SetUp(ctx, s.cfg.RootKey, s.steady())
	if err := s.postpone(err, &s.late.root, "the root key is set up"); err != nil {
		return fmt.Errorf("set up the root key: %w", err)
	}
	s.minted, s.rootLink = roots.Minted, roots.Link
	s.tellEnded(roots)
	if roots.Kept > 0 {
		s.log.Warn(
			"another node sets another KEYWARD_ROOT_KEY: that root key stays good until no live node sets it", "root_keys",
			roots.Kept,
		)
	}
	if s.node != nil { // another node may have made it a moment ago: who waits for this one to be ready calls with it
		s.node.Look(ctx)
	}
	s.watchAlike(ctx)
	return nil
}

func (s *Server) tellEnded(roots control.Roots) {
	if len(roots.Ended) > 0 {
		s.log.Warn("root keys have ended, since no KEYWARD_ROOT_KEY sets them any more", "service_keys", roots.Ended)
	}
}

// watchRoots ends root keys that were kept at a start for other nodes, once none of these sets them.
func (s *Server) watchRoots(ctx context.Context) {
	roots, err := s.control.EndRoots(ctx, s.steady())
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("root keys that no node sets any more were not ended", "error", err.Error())
		}
		return
	}
	s.tellEnded(roots)
	if !roots.Minted.IsZero() {
		go s.tellMinted(roots.Minted) // an output that is not read must not keep the process from its end
	}
	there, err := s.control.HasDeclaredRoot(ctx)
	if missing := err == nil && !there; missing != s.rootMissing && err == nil {
		s.rootMissing = missing
		if missing {
			s.log.Warn(
				"the root key of this node's KEYWARD_ROOT_KEY is not good: another node ended it while this one was silent. A start makes it again",
			)
		}
	}
}

// tellMinted prints a root key that was made while the server ran.
func (s *Server) tellMinted(minted keyfmt.Secret) {
	_, err := fmt.Fprintf(
		s.opt.Notice,
		"No KEYWARD_ROOT_KEY is set any more. The root key, shown this once; keep it where you keep private keys:\n\n  %s\n\n",
		minted.Reveal(),
	)
	if err != nil {
		s.log.Error(
			"the root key could not be printed and is lost: start again with one of your own in KEYWARD_ROOT_KEY, which `keyward rootkey` makes",
			"error", err.Error(),
		)
	}
}
