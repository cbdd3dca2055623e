package auditreplay_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/store"
)

// stopping are the changes after which a webhook of a backup sends no notice any more, or none as it did.
var stopping = map[string]func(h *house, ws, hook string) error{
	"it is deleted": func(h *house, _, hook string) error { return h.DeleteWebhook(h.t.Context(), h.root, hook) },
	"it is off":     changeHook(control.UpdateWebhook{IsActive: control.Some(false)}),
	"it is off and on again": func(h *house, ws, hook string) error {
		return errors.Join(
			changeHook(control.UpdateWebhook{IsActive: control.Some(false)})(h, ws, hook),
			changeHook(control.UpdateWebhook{IsActive: control.Some(true)})(h, ws, hook),
		)
	},
	"it is off, and then told of less": func(h *house, ws, hook string) error {
		return errors.Join(
			changeHook(control.UpdateWebhook{IsActive: control.Some(false)})(h, ws, hook),
			changeHook(control.UpdateWebhook{Kinds: control.Some([]string{"api_key.revoked"})})(h, ws, hook),
		)
	},
	"it has another URL": changeHook(control.UpdateWebhook{URL: control.Some("https://hooks.example.com/other")}),
	"it has another host, and is described": changeHook(
		control.UpdateWebhook{URL: control.Some("https://example.org/"), Description: control.Some("moved")},
	),
	"it has another secret": func(h *house, _, hook string) error {
		_, err := h.RotateWebhook(h.t.Context(), h.root, hook, control.Some(int64(0)))
		return err
	},
	"it has another secret beside its own": func(h *house, _, hook string) error {
		_, err := h.RotateWebhook(h.t.Context(), h.root, hook, control.Optional[int64]{})
		return err
	},
	"its receiver is gone": func(h *house, _, hook string) error {
		return h.DisableWebhook(h.t.Context(), id.Webhook(hook), notice.Gone)
	},
	"it fails for too long": func(h *house, _, hook string) error {
		return h.DisableWebhook(h.t.Context(), id.Webhook(hook), notice.Failing)
	},
	"its workspace is deleted": func(h *house, ws, _ string) error { return h.DeleteWorkspace(h.t.Context(), h.root, ws) },
}

func changeHook(in control.UpdateWebhook) func(h *house, ws, hook string) error {
	return func(h *house, _, hook string) error {
		_, err := h.UpdateWebhook(h.t.Context(), h.root, hook, in)
		return err
	}
}

func TestT33AWebhookThatWasStoppedAfterTheBackupStaysSo(t *testing.T) {
	t.Parallel()
	for what, stop := range stopping {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			restored, hook := restoredHook(t, stop)
			for _, e := range sending(t, restored) {
				if e.ID == hook {
					t.Errorf("it sends to %s", e.URL)
				}
			}
			// Neither does a delivery wait that would be sent once it is on again.
			check(t, restored.View(t.Context(), func(v *store.View) error {
				if _, err := v.Webhook(hook); errors.Is(err, store.ErrNotFound) {
					return nil // what waits for it is purged
				}
				waiting, err := v.Deliveries(hook, notice.Pending, 0, 10)
				if len(waiting) > 0 {
					t.Errorf("%d deliveries wait", len(waiting))
				}
				return err
			}))
		})
	}
}

func TestT33AWebhookIsToldOfNoMoreThanBeforeTheRestore(t *testing.T) {
	t.Parallel()
	narrow := changeHook(control.UpdateWebhook{Kinds: control.Some([]string{"api_key.revoked", "api_key.updated"})})
	restored, hook := restoredHook(t, narrow)
	for _, e := range sending(t, restored) {
		if e.ID == hook && (e.Wants(notice.KeyCreated) || !e.Wants(notice.KeyRevoked) || !e.Wants(notice.KeyUpdated)) {
			t.Errorf("it is told of %v", e.Kinds)
		}
	}
	if len(sending(t, restored)) != 2 {
		t.Errorf("%d webhooks send", len(sending(t, restored)))
	}
}

// restoredHook makes two webhooks and a backup, changes one, and restores the backup with the journal: the other one
// still sends. A delivery waits in the backup.
func restoredHook(t *testing.T, change func(h *house, ws, hook string) error) (*store.DB, id.Webhook) {
	t.Helper()
	h := newHouse(t, t.TempDir())
	t.Cleanup(func() { _ = h.db.Close() })
	made := map[string]id.Webhook{}
	for _, ws := range h.workspaces {
		w, err := h.CreateWebhook(
			t.Context(), h.root, control.CreateWebhook{Workspace: ws, URL: "https://hooks.example.com/"},
		)
		check(t, err)
		_, err = h.TestWebhook(t.Context(), h.root, string(w.ID))
		check(t, err)
		made[ws] = w.ID
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	check(t, h.db.Backup(t.Context(), backup))
	ws, other := h.workspaces[0], made[h.workspaces[1]]
	check(t, change(h, ws, string(made[ws])))
	restored := openStore(t, backup)
	t.Cleanup(func() { _ = restored.Close() })
	if n := len(sending(t, restored)); n != 2 {
		t.Fatalf("%d webhooks send in the backup: the test could not fail", n)
	}
	repeat(t, restored, h.journal())
	there := false
	for _, e := range sending(t, restored) {
		there = there || e.ID == other
	}
	if !there {
		t.Error("another webhook sends no more")
	}
	return restored, made[ws]
}

// sending lists the webhooks to which notices are sent.
func sending(t *testing.T, db *store.DB) (all []notice.Endpoint) {
	t.Helper()
	check(t, db.View(t.Context(), func(v *store.View) (err error) {
		all, err = v.ActiveWebhooks(store.Page{Limit: 10})
		return err
	}))
	return all
}
