package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

func (f *fixture) passkey(credential string, change func(*session.Passkey)) session.Passkey {
	f.Helper()
	p := session.Passkey{
		ID:        id.Passkey(f.ids.Next()),
		Workspace: f.ws,
		User:      f.member,
		Since:     f.now().Add(-time.Hour),
		Name:      "laptop",
		Credential: []byte(
			credential,
		),
		PublicKey: []byte{1, 0, 255},
		Handle:    []byte("handle"),
		Counter:   1<<32 - 1,
		Backup:    true,
		CreatedAt: f.now(),
		UsedAt:    f.now(),
	}
	if change != nil {
		change(&p)
	}
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutPasskey(p) })
	return p
}

func testPasskey(_ *testing.T, f *fixture) {
	p := f.passkey("one", func(p *session.Passkey) { p.Bounds = bounds(2) })
	other := f.passkey("two", func(p *session.Passkey) { p.Backup, p.Counter = false, 0 })
	f.passkey("three", func(p *session.Passkey) { p.User = "user-2" })
	f.view(func(v *store.View) error {
		by, err := v.Passkey(p.ID)
		f.must(err)
		f.same("by id", p, by)
		by, err = v.PasskeyOf([]byte("one"))
		f.must(err)
		f.same("by credential", p, by)
		all, err := v.Passkeys(f.ws, f.member)
		f.same("of the member", []session.Passkey{p, other}, all)
		return err
	})
	if err := f.update(func(tx *store.Tx) error {
		again := p
		again.ID, again.User = id.Passkey(f.ids.Next()), "user-2"
		return tx.PutPasskey(again)
	}); !errors.Is(err, store.ErrDuplicate) {
		f.Errorf("a credential twice: %v", err)
	}
	f.pass(time.Hour)
	f.mustUpdate(func(tx *store.Tx) error { return tx.UsePasskey(other.ID, 7) })
	f.view(func(v *store.View) error {
		by, err := v.Passkey(other.ID)
		other.Counter, other.UsedAt = 7, f.now()
		f.same("after a use", other, by)
		return err
	})
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeletePasskey(p.ID) })
	if err := f.update(func(tx *store.Tx) error { return tx.DeletePasskey(p.ID) }); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("ended twice: %v", err)
	}
	f.view(func(v *store.View) error {
		if _, err := v.PasskeyOf([]byte("one")); !errors.Is(err, store.ErrNotFound) {
			f.Errorf("after its end: %v", err)
		}
		return nil
	})
}

func testInvitation(_ *testing.T, f *fixture) {
	put := func(code string, change func(*session.Invitation)) session.Invitation {
		i := session.Invitation{Digest: digestOf(code), Workspace: f.ws, User: f.member, Since: f.now(), Bounds: bounds(3),
			Inviter: session.Inviter{User: "user-2"}, ExpiresAt: f.now().Add(session.InvitationLife)}
		if change != nil {
			change(&i)
		}
		f.mustUpdate(func(tx *store.Tx) error { return tx.PutInvitation(i) })
		return i
	}
	gone := func(code string) bool {
		var err error
		f.view(func(v *store.View) error { _, err = v.Invitation(digestOf(code)); return nil })
		return errors.Is(err, store.ErrNotFound)
	}
	first := put("first", nil)
	f.view(func(v *store.View) error {
		got, err := v.Invitation(first.Digest)
		f.same("read", first, got)
		return err
	})
	other := put("other", func(i *session.Invitation) {
		i.User, i.Inviter = "user-2", session.Inviter{APIKey: "k", ServiceKey: "s"}
	})
	put("second", nil)
	f.same(
		"a second one takes the place of the first", []bool{true, false, false},
		[]bool{gone("first"), gone("second"), gone("other")},
	)
	f.view(func(v *store.View) error {
		all, err := v.Invitations(f.ws, "user-2")
		f.same("of a member", []session.Invitation{other}, all)
		return err
	})
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteInvitation(other.Digest) })
	if err := f.update(func(tx *store.Tx) error { return tx.DeleteInvitation(other.Digest) }); !errors.Is(
		err, store.ErrNotFound,
	) {
		f.Errorf("followed twice: %v", err)
	}
	f.pass(session.InvitationLife)
	put("late", func(i *session.Invitation) { i.User = "user-2" })
	for more := true; more; {
		var err error
		more, err = f.db.Purge(context.Background())
		f.must(err)
	}
	f.same("after seven days", []bool{true, false}, []bool{gone("second"), gone("late")})
}

func testChallenge(_ *testing.T, f *fixture) {
	answer := func() error {
		return f.update(func(tx *store.Tx) error {
			return tx.AnswerChallenge(digestOf("c"), f.now().Add(session.CeremonyLife))
		})
	}
	f.must(answer())
	if err := answer(); !errors.Is(err, store.ErrDuplicate) {
		f.Errorf("answered twice: %v", err)
	}
	signedIn := func() (in bool) {
		f.view(func(v *store.View) (err error) { in, err = v.SignedIn(f.ws, f.member); return err })
		return in
	}
	f.same("before a sign-in", false, signedIn())
	f.mustUpdate(func(tx *store.Tx) error {
		return errors.Join(tx.NoteSignIn(f.ws, f.member), tx.NoteSignIn(f.ws, f.member))
	})
	f.same("after a sign-in", true, signedIn())
	f.mustUpdate(func(tx *store.Tx) error {
		return errors.Join(tx.ForgetSignIn(f.ws, f.member), tx.ForgetSignIn(f.ws, f.member))
	})
	f.same("after it was forgotten", false, signedIn())
	f.pass(session.CeremonyLife)
	_, err := f.db.Purge(context.Background())
	f.must(err)
	f.must(answer())
}
