package control

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// Proof is a proof of possession that was checked against its request: which key signed it, and its id, which that
// key uses once.
type Proof struct {
	Thumbprint string
	ID         string
	Until      time.Time // when it is too old to be presented again
}

func (p *Proof) digest() keyfmt.Digest {
	return sha256.Sum256([]byte("proof\x00" + p.Thumbprint + "\x00" + p.ID))
}

// StartedPortal is a portal session with a token, which is shown in this answer alone.
type StartedPortal struct {
	session.Portal
	Token      keyfmt.Secret
	TokenUntil time.Time
}

// deadSecret is the one answer for every client secret that starts nothing: unknown, spent, too old, of a session that
// has ended or is another than the one that was named.
func deadSecret() error {
	return fault.New(
		fault.Unauthenticated, "this client secret does not work: it was used before, is too old, or was never one",
	)
}

// ExchangePortal gives a page a token for its client secret, once. The token is bound to the key of the proof. only
// names the one session that may come out, "" for any; own says that the server's own page asks. Of c only the place
// from which the request comes counts.
func (s *Service) ExchangePortal(
	ctx context.Context, c Caller, secret string, proof Proof, only id.Portal, own bool,
) (StartedPortal, error) {
	var out StartedPortal
	find := func(v *store.View) (session.Portal, *actor, error) {
		p, err := v.PortalOf(s.digester.Current(secret))
		if err == nil && (!session.IsPortalSecret(secret) || !p.Exchangeable(v.Now()) || only != "" && p.ID != only) {
			err = store.ErrNotFound
		}
		var a *actor
		if err == nil {
			a, err = s.livePortal(v, &p)
		}
		if err == nil && !p.Bounds.Admits(c.Address) || errors.Is(err, store.ErrNotFound) {
			err = deadSecret()
		}
		return p, a, err
	}
	err := s.db.Glance(ctx, func(v *store.View) error { // a stranger takes no turn of the writer
		_, _, err := find(v)
		return err
	})
	if err != nil {
		return out, storageFault(err)
	}
	_, err = s.db.Update(ctx, func(tx *store.Tx) error {
		p, a, err := find(tx.View)
		if err != nil {
			return err
		}
		if p.FrameOnly && !own {
			return FramesAlone()
		}
		if err := s.spendProof(tx.Counting(), &proof); err != nil {
			return err
		}
		if err := tx.BindPortal(p.ID, proof.Thumbprint); err != nil {
			return err
		}
		p.Thumbprint = proof.Thumbprint
		out = s.startedPortal(p, tx.Now())
		a.Caller = Caller{Portal: p.ID, Address: c.Address, UserAgent: c.UserAgent, RequestID: c.RequestID}
		return s.record(tx, a, change{kind: audit.PortalSessionStarted, workspace: p.Workspace, target: string(p.ID),
			sentence: fmt.Sprintf("portal session of %s started", p.User), note: fields{"thumbprint": p.Thumbprint}})
	})
	return out, storageFault(err)
}

// FramesAlone refuses to reveal a value to a page that is not this server's own.
func FramesAlone() error {
	return fault.New(fault.PermissionDenied, "this portal session reveals values in the frame of this server alone",
		fault.Detail{Field: "Origin", Message: "is not the server's own"})
}

// RenewPortal gives another token to the key that the session is bound to, until the session ends.
func (s *Service) RenewPortal(ctx context.Context, c Caller, portal id.Portal, proof Proof) (StartedPortal, error) {
	var out StartedPortal
	err := s.db.Glance(ctx, func(v *store.View) error {
		p, err := v.Portal(portal)
		if err == nil {
			_, err = s.livePortal(v, &p)
		}
		if errors.Is(err, store.ErrNotFound) ||
			err == nil && (p.Thumbprint != proof.Thumbprint || !p.Bounds.Admits(c.Address)) {
			return errCredentialRevoked()
		}
		out = s.startedPortal(p, v.Now())
		return err
	})
	if err == nil {
		err = s.db.Count(ctx, func(c *store.Counting) error { return s.spendProof(c, &proof) })
	}
	if err != nil {
		return StartedPortal{}, storageFault(err)
	}
	return out, nil
}

// spendProof refuses a proof that was presented before.
func (s *Service) spendProof(c *store.Counting, p *Proof) error {
	fresh, err := c.SpendProof(p.digest(), p.Until)
	if err == nil && !fresh {
		err = fault.New(fault.Unauthenticated, "the proof of possession was presented before")
	}
	return err
}

// startedPortal makes a token for the key that a session is bound to.
func (s *Service) startedPortal(p session.Portal, now time.Time) StartedPortal {
	until := now.Add(session.PortalTokenLife)
	if p.ExpiresAt.Before(until) {
		until = p.ExpiresAt
	}
	until = until.Truncate(time.Second)
	var body [32]byte
	binary.BigEndian.PutUint32(body[:tokenTime], uint32(until.Unix()))
	copy(body[tokenTime:], s.portalMAC(p.ID, p.Thumbprint, body[:tokenTime]))
	return StartedPortal{Portal: p, Token: session.PortalToken(body), TokenUntil: until}
}

// tokenTime is how many bytes of a token say when it ends. The rest is a MAC over that, the session and the key.
const tokenTime = 4

func (s *Service) portalMAC(p id.Portal, thumbprint string, end []byte) []byte {
	m := hmac.New(sha256.New, s.db.Secret())
	m.Write([]byte("portal token\x00" + string(p) + "\x00" + thumbprint + "\x00"))
	m.Write(end)
	return m.Sum(nil)[:len([32]byte{})-tokenTime]
}

// IdentifyPortal finds the caller of a portal token that comes with a proof by its key. It does not spend the proof.
// Unauthenticated is the one answer for a token that is none, has ended or belongs to another session or key.
func (s *Service) IdentifyPortal(
	ctx context.Context, c Caller, portal id.Portal, token string, proof Proof,
) (Caller, error) {
	body, ok := session.PortalTokenBody(token)
	if !ok || !hmac.Equal(body[tokenTime:], s.portalMAC(portal, proof.Thumbprint, body[:tokenTime])) {
		return c, errCredentialRevoked()
	}
	c.Portal, c.Thumbprint = portal, proof.Thumbprint
	c.Until = time.Unix(int64(binary.BigEndian.Uint32(body[:tokenTime])), 0)
	err := s.db.Glance(ctx, func(v *store.View) error {
		a, err := s.actor(v, c.through(anyCapability))
		if err == nil {
			c.Home = a.workspace
		}
		return err
	})
	if err == nil {
		err = s.db.Count(store.InTurnOf(ctx, c.tenant()), func(c *store.Counting) error { return s.spendProof(c, &proof) })
	}
	return c, storageFault(err)
}

// PortalPage is the public part of a portal session: which pages may call and frame it.
type PortalPage struct {
	Origins   []string
	FrameOnly bool
	Live      bool // goes on; false for an unknown one
	Portal    session.Portal
}

// LookAtPortal tells of a portal session by its id, which is no secret.
func (s *Service) LookAtPortal(ctx context.Context, portal id.Portal) (PortalPage, error) {
	var out PortalPage
	err := s.db.Glance(ctx, func(v *store.View) error {
		p, err := v.Portal(portal)
		if err != nil {
			return err
		}
		out = PortalPage{Origins: p.Origins, FrameOnly: p.FrameOnly, Portal: p}
		_, err = s.livePortal(v, &p)
		out.Live = err == nil
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return out, storageFault(readFault(err))
}
