package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

func (f *fixture) portal(secret string, change func(*session.Portal)) session.Portal {
	f.Helper()
	p := session.Portal{
		ID:        id.Portal(f.ids.Next()),
		Workspace: f.ws,
		User:      f.member,
		Role:      f.plain,
		Since:     f.now().Add(-time.Hour),
		Maker: session.Maker{
			ServiceKey: "s", Session: "x",
		},
		Bounds:       bounds(2),
		Capabilities: []session.Capability{session.KeysRead, session.KeysCreate},
		Ceiling: session.Ceiling{
			Permissions: []string{}, MaxLifetime: 1500 * time.Millisecond, Limits: ratelimit.Limits{PerMinute: 1, PerDay: 2},
			Environments: []keyfmt.Environment{keyfmt.Test}, MaxKeys: 3, RequireIPs: true,
		},
		Origins:   []string{"https://app.example.com", "http://[::1]:3000"},
		FrameOnly: true,
		Locale:    "pt-BR",
		Theme:     "dark",
		ReturnURL: "https://app.example.com/?a=\"<é",
		Label:     "Ä",
		Secret:    digestOf(secret),
		CreatedAt: f.now(),
		ExpiresAt: f.now().Add(time.Hour),
	}
	if change != nil {
		change(&p)
	}
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutPortal(p) })
	return p
}

func testPortal(_ *testing.T, f *fixture) {
	p := f.portal("one", nil)
	plain := f.portal("two", func(p *session.Portal) {
		p.Ceiling, p.Origins, p.FrameOnly, p.Maker = session.Ceiling{}, []string{}, false, session.Maker{User: "user-2"}
		p.Locale, p.Theme, p.ReturnURL, p.Label = "", "", "", ""
		p.Bounds = bounds(0)
	})
	read := func(want session.Portal) {
		f.Helper()
		f.view(func(v *store.View) error {
			got, err := v.Portal(want.ID)
			f.must(err)
			f.same("by id", want, got)
			got, err = v.PortalOf(want.Secret)
			f.same("by secret", want, got)
			return err
		})
	}
	read(p)
	read(plain)
	if err := f.update(func(tx *store.Tx) error {
		again := p
		again.ID = id.Portal(f.ids.Next())
		return tx.PutPortal(again)
	}); !errors.Is(err, store.ErrDuplicate) {
		f.Errorf("a secret twice: %v", err)
	}
	bind := func(thumbprint string) error {
		return f.update(func(tx *store.Tx) error { return tx.BindPortal(p.ID, thumbprint) })
	}
	f.must(bind("first"))
	if err := bind("second"); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("bound twice: %v", err)
	}
	p.Thumbprint = "first"
	read(p)
	f.mustUpdate(func(tx *store.Tx) error { return tx.EndPortal(plain.ID) })
	if err := f.update(func(tx *store.Tx) error { return tx.EndPortal(plain.ID) }); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("ended twice: %v", err)
	}
	if err := f.update(func(tx *store.Tx) error { return tx.BindPortal(plain.ID, "late") }); !errors.Is(
		err, store.ErrNotFound,
	) {
		f.Errorf("bound after its end: %v", err)
	}
	plain.EndedAt = f.now()
	read(plain)
}

func testPortalEnds(_ *testing.T, f *fixture) {
	one := f.portal("one", nil)
	two := f.portal("two", func(p *session.Portal) { p.User = "user-2" })
	three := f.portal("three", func(p *session.Portal) { p.Maker.ServiceKey = "t" })
	f.portal("over", func(p *session.Portal) { p.ExpiresAt = f.now() })
	f.portal("too far", func(p *session.Portal) { p.ExpiresAt = f.now().Add(100 * time.Hour) })
	listed := func(filter store.PortalFilter, want ...session.Portal) {
		f.Helper()
		f.view(func(v *store.View) error {
			got, err := v.Portals(filter)
			f.same("listed", len(want), len(got))
			for i := range min(len(want), len(got)) {
				f.same("listed", want[i].ID, got[i].ID)
			}
			return err
		})
	}
	listed(store.PortalFilter{Workspace: f.ws}, three, two, one)
	listed(store.PortalFilter{Workspace: f.ws, User: f.member}, three, one)
	listed(store.PortalFilter{ServiceKey: "s"}, two, one)
	listed(store.PortalFilter{Page: store.Page{After: string(three.ID), Limit: 1}}, two)
	listed(store.PortalFilter{Workspace: "elsewhere"})
	var n int64
	f.mustUpdate(func(tx *store.Tx) (err error) {
		n, err = tx.EndPortals(store.PortalFilter{ServiceKey: "s"})
		return err
	})
	f.same("ended", int64(2), n)
	listed(store.PortalFilter{Workspace: f.ws}, three)
	f.pass(25 * time.Hour)
	for range 3 {
		_, err := f.db.Purge(context.Background())
		f.must(err)
	}
	f.same("rows a day later", int64(1), f.count("portal_sessions")) // the one that ends too far ahead
	f.mustUpdate(func(tx *store.Tx) error { return tx.ForgetPortals() })
	f.same("rows once forgotten", int64(0), f.count("portal_sessions"))
}

func testProof(_ *testing.T, f *fixture) {
	spend := func(proof string) (fresh bool) {
		f.Helper()
		f.must(f.db.Count(context.Background(), func(c *store.Counting) (err error) {
			fresh, err = c.SpendProof(digestOf(proof), f.now().Add(time.Minute))
			return err
		}))
		return fresh
	}
	f.same("new, again, another", []bool{true, false, true}, []bool{spend("a"), spend("a"), spend("b")})
	f.pass(2 * time.Minute)
	_, err := f.db.Purge(context.Background())
	f.must(err)
	f.same("rows later", int64(0), f.count("portal_proofs"))
}
