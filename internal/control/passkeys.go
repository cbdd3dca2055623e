package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

const maxPasskeyName = 60

// NewPasskey is a credential that an authenticator has made, and whose registration was checked.
type NewPasskey struct {
	Name       string
	Credential []byte
	PublicKey  []byte
	Handle     []byte
	Counter    uint32
	Backup     bool
	Answered   Challenge
}

// Challenge is the challenge of WebAuthn that was answered, and until when it could be.
type Challenge struct {
	Digest keyfmt.Digest
	Until  time.Time
}

// spend keeps that a challenge was answered: an answer is good once.
func (s *Service) spend(tx *store.Tx, c Challenge) error {
	if !tx.Now().Before(c.Until) {
		return fault.New(fault.Unauthenticated, "this took too long: begin anew")
	}
	err := tx.AnswerChallenge(c.Digest, c.Until)
	if errors.Is(err, store.ErrDuplicate) {
		return fault.New(fault.Unauthenticated, "this was answered before: begin anew")
	}
	return err
}

// Register follows an invitation: the member gets the passkey and is signed in, and the invitation is used up. Of c
// only the place from which the request comes counts.
func (s *Service) Register(ctx context.Context, c Caller, code string, in NewPasskey) (Started, error) {
	var out Started
	err := s.db.Glance(ctx, func(v *store.View) error { // a stranger takes no turn of the writer
		_, _, err := s.liveInvitation(v, code)
		return err
	})
	if err != nil {
		return out, storageFault(err)
	}
	_, err = s.db.Update(ctx, func(tx *store.Tx) error {
		i, m, err := s.liveInvitation(tx.View, code)
		if err != nil {
			return err
		}
		if !i.Bounds.Admits(c.Address) {
			return deadInvitation()
		}
		if err := tx.DeleteInvitation(i.Digest); err != nil {
			return err
		}
		out, err = s.begin(
			tx, c, session.Session{Workspace: i.Workspace, User: i.User, Method: session.ByPasskey, Bounds: i.Bounds},
		)
		if err != nil {
			return err
		}
		a, err := s.actor(tx.View, Caller{Person: personOf(out.Session), Session: out.ID, Presented: out.Digest,
			Address: c.Address, UserAgent: c.UserAgent, RequestID: c.RequestID})
		if err != nil {
			return err
		}
		_, err = s.putPasskey(tx, a, m, in, i.Bounds)
		return err
	})
	return out, storageFault(err)
}

// AddPasskey gives the member who is signed in one more passkey for the session's workspace.
func (s *Service) AddPasskey(ctx context.Context, c Caller, in NewPasskey) (session.Passkey, error) {
	var out session.Passkey
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		m, err := s.ownMembership(tx.View, a)
		if err != nil {
			return err
		}
		out, err = s.putPasskey(tx, a, m, in, s.signInBounds(a, m.Workspace))
		return err
	})
	return out, err
}

// ownMembership is that of a person who is signed in, in the session's workspace.
func (s *Service) ownMembership(v *store.View, a *actor) (account.Member, error) {
	if !a.person() || a.Session == "" {
		return account.Member{}, fault.New(fault.PermissionDenied, "only a member who is signed in has passkeys")
	}
	return v.Member(a.workspace, a.user)
}

func (s *Service) putPasskey(
	tx *store.Tx, a *actor, m account.Member, in NewPasskey, b account.Bounds,
) (session.Passkey, error) {
	out := session.Passkey{
		ID: id.Passkey(s.ids.Next()), Workspace: m.Workspace, User: m.User, Since: m.CreatedAt, Credential: in.Credential,
		PublicKey: in.PublicKey, Handle: in.Handle, Counter: in.Counter, Backup: in.Backup, Bounds: b, CreatedAt: tx.Now(),
		UsedAt: tx.Now(),
	}
	var err error
	if out.Name, err = nameInput("name", in.Name, maxPasskeyName); err != nil {
		return out, err
	}
	others, err := tx.Passkeys(m.Workspace, m.User)
	if err != nil {
		return out, err
	}
	if len(others) >= session.MaxPasskeys {
		return out, fault.New(fault.Conflict, fmt.Sprintf("a member has at most %d passkeys", session.MaxPasskeys))
	}
	if err := s.spend(tx, in.Answered); err != nil {
		return out, err
	}
	if err := tx.PutPasskey(out); err != nil {
		if errors.Is(err, store.ErrDuplicate) {
			err = fault.New(fault.Conflict, "this passkey is registered already")
		}
		return out, err
	}
	return out, s.record(tx, a, change{kind: audit.PasskeyAdded, workspace: m.Workspace, target: string(out.ID),
		sentence: fmt.Sprintf("passkey %q of %s added", out.Name, m.User), after: passkeyFields(&out)})
}

func passkeyFields(p *session.Passkey) fields {
	return fields{"name": p.Name, "userId": string(p.User), "createdAt": stamp(p.CreatedAt)}
}

// endPasskey takes a passkey away and says so.
func (s *Service) endPasskey(tx *store.Tx, a *actor, p *session.Passkey) error {
	if err := tx.DeletePasskey(p.ID); err != nil {
		return err
	}
	return s.record(tx, a, change{kind: audit.PasskeyRemoved, workspace: p.Workspace, target: string(p.ID),
		sentence: fmt.Sprintf("passkey %q of %s removed", p.Name, p.User), before: passkeyFields(p)})
}

// ListPasskeys gives those that the person who is signed in has in the session's workspace, the oldest first.
func (s *Service) ListPasskeys(ctx context.Context, c Caller) ([]session.Passkey, error) {
	var out []session.Passkey
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		m, err := s.ownMembership(v, a)
		if err != nil {
			return err
		}
		out, err = v.Passkeys(m.Workspace, m.User)
		return err
	})
	return out, storageFault(err)
}

// RemovePasskey takes away a passkey of the person who is signed in, and ends the sessions that passkeys began in this
// workspace, but for the one that calls: one of them may be that of a thief.
func (s *Service) RemovePasskey(ctx context.Context, c Caller, name string) (session.Passkey, error) {
	var out session.Passkey
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		m, err := s.ownMembership(tx.View, a)
		if err != nil {
			return err
		}
		if _, ok := id.Parse(name); !ok {
			return fault.Missing()
		}
		if out, err = tx.Passkey(id.Passkey(name)); err != nil {
			return err
		}
		if out.Workspace != m.Workspace || out.User != m.User {
			return fault.Missing()
		}
		if err := s.endPasskey(tx, a, &out); err != nil {
			return err
		}
		all, err := tx.Sessions(store.SessionFilter{Workspace: m.Workspace, User: m.User})
		if err != nil {
			return err
		}
		for _, in := range all {
			if in.Method != session.ByPasskey || in.ID == a.Session {
				continue
			}
			if err := s.end(tx, a, in, "was signed out, as a passkey was removed"); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

func deadPasskey() *fault.Error {
	return fault.New(fault.Unauthenticated, "this passkey does not sign in here: it was removed, or was never registered")
}

// livePasskey finds the passkey with a credential, of one who is still the member that registered it.
func (s *Service) livePasskey(v *store.View, credential []byte) (session.Passkey, error) {
	p, err := v.PasskeyOf(credential)
	if err == nil {
		_, err = s.membership(v, p.Workspace, p.User, p.Since)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = deadPasskey()
	}
	return p, err
}

// SignInByPasskey starts a session in the passkey's workspace. prove checks that its owner has signed the challenge,
// and gives the counter that was signed with it. A counter that goes back is refused, and stands in the log. Of c only
// the place from which the request comes counts.
func (s *Service) SignInByPasskey(ctx context.Context, c Caller, credential []byte, answered Challenge,
	prove func(*session.Passkey) (counter uint32, err error)) (Started, error) {
	var known session.Passkey
	err := s.db.Glance(ctx, func(v *store.View) (err error) {
		known, err = s.livePasskey(v, credential)
		return err
	})
	if err != nil {
		return Started{}, storageFault(err)
	}
	counter, err := prove(&known)
	if err != nil {
		return Started{}, deadPasskey().Because(err)
	}
	var out Started
	var copied bool
	_, err = s.db.Update(ctx, func(tx *store.Tx) error {
		p, err := s.livePasskey(tx.View, credential)
		if err != nil {
			return err
		}
		if p.ID != known.ID || !bytes.Equal(p.PublicKey, known.PublicKey) || !p.Bounds.Admits(c.Address) {
			return deadPasskey()
		}
		if err := s.spend(tx, answered); err != nil {
			return err
		}
		if copied = p.GoesBack(counter); copied {
			return s.refusePasskey(tx, c, &p, counter)
		}
		if err := tx.UsePasskey(p.ID, counter); err != nil {
			return err
		}
		out, err = s.begin(
			tx, c, session.Session{Workspace: p.Workspace, User: p.User, Method: session.ByPasskey, Bounds: p.Bounds},
		)
		return err
	})
	if err == nil && copied {
		err = deadPasskey().Because(fmt.Errorf("the counter of passkey %s went back to %d", known.ID, counter))
	}
	return out, storageFault(err)
}

// refusePasskey writes into the log of the workspace that somebody may have a copy of a passkey.
func (s *Service) refusePasskey(tx *store.Tx, c Caller, p *session.Passkey, counter uint32) error {
	a, err := s.memberActor(tx.View, c, p.Workspace, p.User)
	if err != nil {
		return err
	}
	a.passkey = p.ID
	return s.record(tx, a, change{kind: audit.PasskeyRefused, workspace: p.Workspace, target: string(p.ID),
		sentence: fmt.Sprintf(
			"passkey %q of %s refused: its counter went back, so that somebody may have a copy", p.Name, p.User,
		),
		note: fields{"counter": counter, "last": p.Counter, "userId": string(p.User)}})
}
