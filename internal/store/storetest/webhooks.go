package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/store"
)

func (f *fixture) webhook(change func(*notice.Endpoint)) notice.Endpoint {
	f.Helper()
	e := notice.Endpoint{
		ID: id.Webhook(f.ids.Next()), Workspace: f.ws, URL: "https://example.com/ü", Description: "ü", Kinds: notice.Kinds(),
		IsActive: true, Secret: []byte{0, 1, 255}, Pepper: "p", CreatedBy: "user-2", CreatedAt: f.now(), UpdatedAt: f.now(),
	}
	if change != nil {
		change(&e)
	}
	f.mustUpdate(func(tx *store.Tx) error {
		if err := tx.PutWebhook(e); err != nil {
			return err
		}
		return tx.Record(audit.Event{ID: id.Event(f.ids.Next()), Workspace: f.ws, Type: audit.WebhookCreated})
	})
	return f.readWebhook(e.ID)
}

func (f *fixture) readWebhook(w id.Webhook) (e notice.Endpoint) {
	f.Helper()
	f.view(func(v *store.View) (err error) {
		e, err = v.Webhook(w)
		return err
	})
	return e
}

func testWebhook(_ *testing.T, f *fixture) {
	var head int64
	f.view(func(v *store.View) (err error) {
		head, err = v.LogHead()
		return err
	})
	e := f.webhook(nil)
	f.same("where it begins", []any{head, f.now(), int64(1), []byte{0, 1, 255}, []byte(nil)},
		[]any{e.Seq, e.Looked, e.Next, e.Secret, e.Previous})
	changed := e
	changed.URL, changed.Kinds, changed.Previous = "https://example.org", notice.Kinds()[:2], []byte{7}
	changed.PreviousUntil, changed.Seq = f.now().Add(time.Hour), 99
	f.mustUpdate(func(tx *store.Tx) error { return tx.UpdateWebhook(changed) })
	changed.Seq = e.Seq // its place is not the caller's
	f.same("changed", changed, f.readWebhook(e.ID))
	f.webhook(func(e *notice.Endpoint) { e.Workspace = "" })
	f.view(func(v *store.View) error {
		mine, err := v.Webhooks(f.ws, store.Page{})
		f.same("of the workspace", 1, len(mine))
		all, err2 := v.ActiveWebhooks(store.Page{})
		f.same("of all", 2, len(all))
		return errors.Join(err, err2)
	})
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteWebhook(e.ID) })
	f.view(func(v *store.View) error {
		_, err := v.Webhook(e.ID)
		f.same("deleted", true, errors.Is(err, store.ErrNotFound))
		return nil
	})
	err := f.update(func(tx *store.Tx) error { return tx.DeleteWebhook(e.ID) })
	f.same("deleted twice", true, errors.Is(err, store.ErrNotFound))
	err = f.update(func(tx *store.Tx) error { return tx.PutWebhook(notice.Endpoint{ID: "x", Workspace: "elsewhere"}) })
	f.same("in no workspace", true, errors.Is(err, store.ErrNotFound))
}

// queue queues notices of objects for a webhook as it was read.
func (f *fixture) queue(e *notice.Endpoint, node string, objects ...string) error {
	f.Helper()
	var all []notice.Delivery
	for _, o := range objects {
		all = append(all, notice.Delivery{ID: id.Delivery(f.ids.Next()), Event: f.ids.Next(), Kind: notice.KeyUpdated,
			Workspace: f.ws, Object: o, Body: `{"ü":1}`})
	}
	return f.db.Count(context.Background(), func(c *store.Counting) error {
		return c.Queue(node, e, store.Place{Seq: e.Seq + 1, Looked: e.Looked, Key: e.LookedKey}, all)
	})
}

func testDeliveries(_ *testing.T, f *fixture) {
	e := f.webhook(nil)
	held := func(node string, force bool) (held bool) {
		f.Helper()
		f.must(f.db.Count(context.Background(), func(c *store.Counting) (err error) {
			held, err = c.LeaseWebhooks(node, c.Now().Add(time.Minute), force)
			return err
		}))
		return held
	}
	f.same("without the lease", true, errors.Is(f.queue(&e, "n", "a"), store.ErrNotLeader))
	f.same("the first node", true, held("n", false))
	f.same("a second node", false, held("m", false))
	f.same("the first node again", true, held("n", false))
	f.must(f.queue(&e, "n", "a", "a", "b"))
	f.same("from a place that is passed", true, errors.Is(f.queue(&e, "n", "a"), store.ErrNotLeader))
	due := func() (all []notice.Delivery) {
		f.Helper()
		f.view(func(v *store.View) (err error) {
			all, err = v.DueDeliveries(e.ID, 10)
			return err
		})
		return all
	}
	first := due()
	f.same("of each object the first", []any{2, "a", int64(1), "b", int64(3)},
		[]any{len(first), first[0].Object, first[0].Number, first[1].Object, first[1].Number})
	first[0].State, first[0].Status, first[0].Attempts, first[0].Ended = notice.Delivered, 200, 1, f.now()
	first[0].First, first[0].Last, first[0].NextAt = f.now(), f.now(), time.Time{}
	first[1].Attempts, first[1].Error, first[1].First, first[1].NextAt = 1, notice.ErrTimeout, f.now(),
		f.now().Add(time.Minute)
	attempted := func(node string) error {
		return f.db.Count(context.Background(), func(c *store.Counting) error { return c.Attempted(node, e.ID, first) })
	}
	f.same("by a node without the lease", true, errors.Is(attempted("m"), store.ErrNotLeader))
	f.must(attempted("n"))
	f.same("the next of the object", []any{1, int64(2)}, []any{len(due()), due()[0].Number})
	f.view(func(v *store.View) error {
		got, err := v.Delivery(e.ID, first[0].ID)
		f.same("the delivery", first[0], got)
		return err
	})
	e = f.readWebhook(e.ID)
	f.same("fails since", f.now(), e.FailingSince)
	f.pass(2 * time.Minute)
	f.same("the lease has ended", true, held("m", false))
	f.same("of another node", true, errors.Is(f.queue(&e, "n", "a"), store.ErrNotLeader))
	var many []string
	for i := range notice.MaxPending {
		many = append(many, fmt.Sprint(i))
	}
	f.same("a full queue", true, errors.Is(f.queue(&e, "m", many...), store.ErrQueueFull))
	e.IsActive = false
	f.mustUpdate(func(tx *store.Tx) error { return tx.UpdateWebhook(e) })
	f.same("switched off", 0, len(due()))
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteWebhook(e.ID) })
	for range 3 {
		_, err := f.db.Purge(context.Background())
		f.must(err)
	}
	f.same("rows of what is deleted", int64(0), f.count("webhook_deliveries"))
}
