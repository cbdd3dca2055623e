package auditreplay_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/verify"
)

// takings are single changes after which a key, or a service key, may do less.
var takings = map[string]func(h *house, ws, key string) error{
	"a key is deleted": func(h *house, _, key string) error { return h.DeleteKey(h.t.Context(), h.root, key) },
	"a key is revoked": func(h *house, _, key string) error { return h.revoke(key) },
	"an earlier value of a key is revoked": func(h *house, _, key string) error {
		return h.RevokeByValue(h.t.Context(), h.root, id.Key(key), h.digester.Current(h.values[0]))
	},
	"a key is rotated": func(h *house, _, key string) error {
		_, err := h.RotateKey(h.t.Context(), h.root, key, 0)
		return err
	},
	"a key is disabled": change(control.UpdateKey{IsActive: control.Some(false)}),
	"a key expires": change(
		control.UpdateKey{ExpiresAt: control.Some(time.Now().AddDate(0, 0, 1).UTC().Format(time.RFC3339))},
	),
	"a key gets a limit per minute": change(
		control.UpdateKey{RateLimit: control.Some(control.LimitsInput{PerMinute: control.Some(int64(1))})},
	),
	"a key gets a limit per day": change(
		control.UpdateKey{RateLimit: control.Some(control.LimitsInput{PerDay: control.Some(int64(1))})},
	),
	"a key is bound to a network": change(control.UpdateKey{AllowedIPs: control.Some([]string{"203.0.113.0/24"})}),
	"its creator leaves":          leave(""),
	"its creator leaves, and comes back": func(h *house, ws, key string) error {
		err := leave("")(h, ws, key)
		h.admit(ws, "bob", "all")
		return err
	},
	"its creator leaves, comes back, and leaves again": func(h *house, ws, key string) error {
		err := leave("keep")(h, ws, key)
		h.admit(ws, "bob", "all")
		return errors.Join(err, leave("")(h, ws, key))
	},
	"its creator leaves, and its heir leaves": func(h *house, ws, key string) error {
		_, err := h.RemoveMember(h.t.Context(), h.root, ws, "joe", control.RemoveMember{})
		h.admit(ws, "joe", "all")
		err = errors.Join(err, leave("transfer:joe")(h, ws, key))
		_, left := h.RemoveMember(h.t.Context(), h.root, ws, "joe", control.RemoveMember{})
		return errors.Join(err, left)
	},
	"its creator is demoted": func(h *house, ws, _ string) error {
		_, err := h.UpdateWorkspace(h.t.Context(), h.root, ws, capped)
		return errors.Join(err, h.demote(ws, "bob", "Viewer"))
	},
	"its creator leaves, and one who inherited it is demoted": func(h *house, ws, key string) error {
		_, err := h.UpdateWorkspace(h.t.Context(), h.root, ws, capped)
		return errors.Join(err, h.demote(ws, "joe", "all"), leave("transfer:joe")(h, ws, key), h.demote(ws, "joe", "Viewer"))
	},
	"its creator is demoted to a role that is new": func(h *house, ws, _ string) error {
		_, err := h.UpdateWorkspace(h.t.Context(), h.root, ws, capped)
		if err != nil {
			return err
		}
		if _, err := h.CreateRole(h.t.Context(), h.root, ws,
			control.CreateRole{Name: "less", Permissions: names[:1]}); err != nil {
			return err
		}
		return h.demote(ws, "bob", "less")
	},
	"it is kept when its creator leaves, and gets a limit": func(h *house, ws, key string) error {
		limit := control.LimitsInput{PerMinute: control.Some(int64(3))}
		return errors.Join(leave("keep")(h, ws, key), change(control.UpdateKey{RateLimit: control.Some(limit)})(h, ws, key))
	},
	"its creator's role is narrowed": func(h *house, ws, _ string) error {
		if _, err := h.UpdateWorkspace(h.t.Context(), h.root, ws, capped); err != nil {
			return err
		}
		_, err := h.UpdateRole(
			h.t.Context(), h.root, ws, h.role(ws, "all"), control.UpdateRole{Permissions: control.Some(names[:1])},
		)
		return err
	},
	"it is kept, its creator comes back and leaves": func(h *house, ws, key string) error {
		if err := leave("keep")(h, ws, key); err != nil {
			return err
		}
		_, _, err := h.PutMember(
			h.t.Context(), h.root, ws, "bob", control.PutMember{Role: h.role(ws, "all"), Email: "bob@example.org"},
		)
		return errors.Join(err, leave("")(h, ws, key))
	},
	"the workspace stops": func(h *house, ws, _ string) error {
		_, err := h.UpdateWorkspace(h.t.Context(), h.root, ws, control.UpdateWorkspace{IsActive: control.Some(false)})
		return err
	},
	"the workspace is deleted": func(h *house, ws, _ string) error { return h.DeleteWorkspace(h.t.Context(), h.root, ws) },
	"a service key is deleted": func(h *house, _,
		_ string) error {
		return h.DeleteServiceKey(h.t.Context(), h.root, h.services[0])
	},
}

var capped = control.UpdateWorkspace{
	Settings: control.Some(control.SettingsInput{PermissionMode: control.Some("capped")}),
}

func change(in control.UpdateKey) func(h *house, ws, key string) error {
	return func(h *house, _, key string) error {
		in := in
		in.ID = key
		_, failed, err := h.UpdateKeys(h.t.Context(), h.root, []control.UpdateKey{in})
		if len(failed) > 0 {
			err = failed[0].Fault
		}
		return err
	}
}

func leave(keys string) func(h *house, ws, key string) error {
	return func(h *house, ws, _ string) error {
		_, err := h.RemoveMember(h.t.Context(), h.root, ws, "bob", control.RemoveMember{Keys: keys})
		return err
	}
}

func (h *house) admit(ws, user, role string) {
	_, _, err := h.PutMember(
		h.t.Context(), h.root, ws, user, control.PutMember{Role: h.role(ws, role), Email: user + "@example.org"},
	)
	check(h.t, err)
}

func (h *house) demote(ws, user, role string) error {
	_, err := h.UpdateMember(h.t.Context(), h.root, ws, user, control.UpdateMember{Role: control.Some(h.role(ws, role))})
	return err
}

func (h *house) role(ws, name string) string {
	list, _, err := h.ListRoles(h.t.Context(), h.root, ws, control.Paging{Limit: 100})
	check(h.t, err)
	for _, r := range list {
		if r.Name == name {
			return string(r.ID)
		}
	}
	h.t.Fatalf("there is no role %s", name)
	return ""
}

func TestT33EachWayToTakeSomethingAwayIsRepeated(t *testing.T) {
	t.Parallel()
	for what, take := range takings {
		for _, later := range []bool{false, true} {
			if later {
				what += ", and rows of removals are written later"
			}
			t.Run(what, func(t *testing.T) { repeatTaking(t, take, later) })
		}
	}
}

func repeatTaking(t *testing.T, take func(h *house, ws, key string) error, later bool) {
	t.Parallel()
	h := newHouse(t, t.TempDir(), lagging(later))
	defer h.db.Close()
	ws := h.workspaces[0]
	_, err := h.CreateRole(t.Context(), h.root, ws, control.CreateRole{Name: "all", Permissions: names})
	check(t, err)
	check(t, h.demote(ws, "bob", "all"))
	k, err := h.CreateKey(
		t.Context(), h.root, control.CreateKey{Workspace: ws, User: "bob", Name: "k", Permissions: control.Some(names)},
	)
	check(t, err)
	s, err := h.CreateServiceKey(t.Context(), h.root, control.CreateServiceKey{Name: "s", Scopes: []string{"verify"}})
	check(t, err)
	next, err := h.RotateKey(t.Context(), h.root, string(k.Key.ID), 3600)
	check(t, err)
	h.values = []string{k.Secret.Reveal(), next.Secret.Reveal(), s.Secret.Reveal()}
	h.services = []string{string(s.ServiceKey.ID)}
	backup := filepath.Join(t.TempDir(), "backup.db")
	check(t, h.db.Backup(t.Context(), backup))
	check(t, take(h, ws, string(k.Key.ID)))
	was := h.powers(h.db)
	restored := openStore(t, backup)
	defer restored.Close()
	without := 0
	for value, p := range h.powers(restored) {
		if p.more(was[value]) {
			without++
		}
	}
	repeat(t, restored, h.journal())
	for value, p := range h.powers(restored) {
		if w := was[value]; p != w && (p.code == verify.Valid || w.code == verify.Valid) {
			t.Errorf("%s: %+v after the restore, and %+v before", value, p, was[value])
		}
	}
	if without == 0 {
		t.Error("it takes nothing away: the test could not fail")
	}
}
