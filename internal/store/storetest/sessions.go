package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

func digestOf(s string) keyfmt.Digest { return sha256.Sum256([]byte(s)) }

// signIn puts a session whose token is its id.
func (f *fixture) signIn(change func(*session.Session)) session.Session {
	f.Helper()
	s := session.Session{
		ID: id.Session(f.ids.Next()), Workspace: f.ws, User: f.member, Method: session.ByLink, Address: "203.0.113.7",
		UserAgent: "a browser", StartedAt: f.now(), SeenAt: f.now(), ExpiresAt: f.now().Add(session.Life),
	}
	s.Digest = digestOf(string(s.ID))
	if change != nil {
		change(&s)
	}
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutSession(s) })
	return s
}

// sessions lists the ids that a filter finds.
func (f *fixture) sessions(filter store.SessionFilter) (out []id.Session) {
	f.Helper()
	f.view(func(v *store.View) error {
		all, err := v.Sessions(filter)
		for _, s := range all {
			out = append(out, s.ID)
		}
		return err
	})
	return out
}

func testSession(_ *testing.T, f *fixture) {
	s := f.signIn(func(s *session.Session) { s.Bounds = bounds(2) })
	f.view(func(v *store.View) error {
		by, err := v.Session(s.ID)
		f.must(err)
		f.same("by id", s, by)
		by, err = v.SessionOf(s.Digest)
		f.same("by token", s, by)
		return err
	})
	f.pass(time.Hour)
	f.must(f.db.Count(context.Background(), func(c *store.Counting) error { return c.TouchSession(s.ID) }))
	f.view(func(v *store.View) error {
		by, err := v.Session(s.ID)
		s.SeenAt = f.now()
		f.same("after a use", s, by)
		return err
	})
	if err := f.update(func(tx *store.Tx) error {
		again := s
		again.ID = id.Session(f.ids.Next())
		return tx.PutSession(again)
	}); !errors.Is(err, store.ErrDuplicate) {
		f.Errorf("a token twice: %v", err)
	}
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteSession(s.ID) })
	f.view(func(v *store.View) error {
		if _, err := v.SessionOf(s.Digest); !errors.Is(err, store.ErrNotFound) {
			f.Errorf("after its end: %v", err)
		}
		return nil
	})
	if err := f.update(func(tx *store.Tx) error { return tx.DeleteSession(s.ID) }); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("ended twice: %v", err)
	}
}

func testSessionFilters(_ *testing.T, f *fixture) {
	mine, root := f.signIn(nil), f.signIn(func(s *session.Session) { s.ServiceKey, s.User, s.Workspace = "k", "", "" })
	other := f.signIn(func(s *session.Session) { s.User = "user-2" })
	f.same("all", []id.Session{other.ID, root.ID, mine.ID}, f.sessions(store.SessionFilter{}))
	f.same("of a user", []id.Session{mine.ID}, f.sessions(store.SessionFilter{User: f.member}))
	f.same("of a workspace", []id.Session{other.ID, mine.ID}, f.sessions(store.SessionFilter{Workspace: f.ws}))
	f.same("of a service key", []id.Session{root.ID}, f.sessions(store.SessionFilter{ServiceKey: "k"}))
	f.same("of members", []id.Session{other.ID, mine.ID}, f.sessions(store.SessionFilter{Members: true}))
	f.same(
		"a page", []id.Session{root.ID}, f.sessions(store.SessionFilter{Page: store.Page{Limit: 1, After: string(other.ID)}}),
	)
	f.pass(session.IdleLife)
	f.same("that are idle", []id.Session(nil), f.sessions(store.SessionFilter{}))
}

func testSessionPurge(_ *testing.T, f *fixture) {
	f.signIn(nil)
	f.mustUpdate(func(tx *store.Tx) error {
		return tx.PutSignInLink(
			session.Link{Digest: digestOf("old"), Workspace: f.ws, User: f.member, ExpiresAt: f.now().Add(session.LinkLife)},
		)
	})
	f.pass(session.IdleLife)
	fresh := f.signIn(nil)
	f.mustUpdate(func(tx *store.Tx) error {
		return tx.PutSignInLink(
			session.Link{Digest: digestOf("new"), Workspace: f.ws, User: f.member, ExpiresAt: f.now().Add(session.LinkLife)},
		)
	})
	for more := true; more; {
		var err error
		more, err = f.db.Purge(context.Background())
		f.must(err)
	}
	f.same("what is left", []id.Session{fresh.ID}, f.sessions(store.SessionFilter{}))
	f.view(func(v *store.View) error {
		if _, err := v.SignInLink(digestOf("old")); !errors.Is(err, store.ErrNotFound) {
			f.Errorf("an old link: %v", err)
		}
		_, err := v.SignInLink(digestOf("new"))
		return err
	})
}

func testSignInLink(_ *testing.T, f *fixture) {
	l := session.Link{
		Digest: digestOf("l"), Workspace: f.ws, User: f.member, ExpiresAt: f.now().Add(session.LinkLife), Bounds: bounds(3),
	}
	root := session.Link{Digest: digestOf("r"), ServiceKey: "k", ExpiresAt: l.ExpiresAt}
	f.mustUpdate(func(tx *store.Tx) error { return errors.Join(tx.PutSignInLink(l), tx.PutSignInLink(root)) })
	f.view(func(v *store.View) error {
		got, err := v.SignInLink(l.Digest)
		f.same("read", l, got)
		return err
	})
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteSignInLinksOf(f.ws, f.member) })
	if err := f.update(func(tx *store.Tx) error { return tx.DeleteSignInLink(l.Digest) }); !errors.Is(
		err, store.ErrNotFound,
	) {
		f.Errorf("of one who left: %v", err)
	}
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteSignInLink(root.Digest) })
	if err := f.update(func(tx *store.Tx) error { return tx.DeleteSignInLink(root.Digest) }); !errors.Is(
		err, store.ErrNotFound,
	) {
		f.Errorf("used twice: %v", err)
	}
}

func testMemberships(_ *testing.T, f *fixture) {
	second, third := f.workspace("Second"), f.workspace("Third")
	for _, ws := range []id.Workspace{second, third} {
		role := f.role(account.Role{Workspace: ws, Name: "Owner", System: account.Owner})
		f.join(ws, f.member, role)
		f.join(ws, "user-2", role)
	}
	in := func() (out []id.Workspace) {
		f.view(func(v *store.View) error {
			all, err := v.Memberships(f.member)
			for _, m := range all {
				out = append(out, m.Workspace)
			}
			return err
		})
		return out
	}
	f.same("the oldest first", []id.Workspace{f.ws, second, third}, in())
	f.mustUpdate(func(tx *store.Tx) error {
		return errors.Join(tx.RemoveMember(second, f.member), tx.DeleteWorkspace(third))
	})
	f.same("where they are still", []id.Workspace{f.ws}, in())
}
