package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/notice"
)

var deliveryTable = newTable("webhook_deliveries", "",
	plain("id", func(d *notice.Delivery) *id.Delivery { return &d.ID }).fixed(),
	plain("webhook_id", func(d *notice.Delivery) *id.Webhook { return &d.Endpoint }).fixed(),
	plain("number", func(d *notice.Delivery) *int64 { return &d.Number }).fixed(),
	plain("event_id", func(d *notice.Delivery) *string { return &d.Event }).fixed(),
	plain("kind", func(d *notice.Delivery) *notice.Kind { return &d.Kind }).fixed(),
	plain("workspace_id", func(d *notice.Delivery) *id.Workspace { return &d.Workspace }).fixed(),
	plain("object", func(d *notice.Delivery) *string { return &d.Object }).fixed(),
	plain("body", func(d *notice.Delivery) *string { return &d.Body }).fixed(),
	coded("state", func(d *notice.Delivery) *notice.State { return &d.State }, stateNumber, stateOf),
	plain("is_replay", func(d *notice.Delivery) *bool { return &d.IsReplay }).fixed(),
	plain("attempts", func(d *notice.Delivery) *int64 { return &d.Attempts }),
	plain("status", func(d *notice.Delivery) *int64 { return &d.Status }),
	plain("error", func(d *notice.Delivery) *string { return &d.Error }),
	instant("created_ms", func(d *notice.Delivery) *time.Time { return &d.CreatedAt }).fixed(),
	instant("first_ms", func(d *notice.Delivery) *time.Time { return &d.First }),
	instant("last_ms", func(d *notice.Delivery) *time.Time { return &d.Last }),
	instant("next_ms", func(d *notice.Delivery) *time.Time { return &d.NextAt }),
	instant("ended_ms", func(d *notice.Delivery) *time.Time { return &d.Ended }),
)

func stateNumber(s notice.State) int64 {
	switch s {
	case notice.Delivered:
		return 1
	case notice.Failed:
		return 2
	}
	return 0
}

func stateOf(n int64) (notice.State, error) {
	switch n {
	case 0:
		return notice.Pending, nil
	case 1:
		return notice.Delivered, nil
	}
	return notice.Failed, nil
}

// Delivery reads one of a webhook.
func (v *View) Delivery(w id.Webhook, d id.Delivery) (notice.Delivery, error) {
	return one(v, deliveryTable.scan, deliveryTable.selects+` WHERE id = ? AND webhook_id = ?`, d, w)
}

// Deliveries lists those of a webhook, the newest first, of one state or with "" of all. A page goes on after a number.
func (v *View) Deliveries(w id.Webhook, s notice.State, after int64, n int) ([]notice.Delivery, error) {
	var c where
	c.and("webhook_id = ?", w)
	if s != "" {
		c.and("state = ?", stateNumber(s))
	}
	if after > 0 {
		c.and("number < ?", after)
	}
	return all(v, deliveryTable.scan, deliveryTable.selects+c.String()+` ORDER BY number DESC LIMIT ?`,
		append(c.args, limit(n))...)
}

// DueDeliveries lists deliveries of a webhook that may be sent now: of each object the first one that waits, if its
// time has come.
func (v *View) DueDeliveries(w id.Webhook, n int) ([]notice.Delivery, error) {
	return all(v, deliveryTable.scan, deliveryTable.selects+` WHERE webhook_id = ? AND state = 0 AND next_ms <= ?
		AND NOT EXISTS (SELECT 1 FROM webhook_deliveries e WHERE e.webhook_id = webhook_deliveries.webhook_id
			AND e.object = webhook_deliveries.object AND e.state = 0 AND e.number < webhook_deliveries.number)
		ORDER BY number LIMIT ?`, w, millis(v.now), limit(n))
}

// NextDue is the earliest time at which a waiting delivery of a webhook may be sent; zero where none waits.
func (v *View) NextDue(w id.Webhook) (time.Time, error) {
	ms, err := one(v, scanInt, `SELECT CAST(coalesce(min(next_ms), 0) AS BIGINT) FROM webhook_deliveries
		WHERE webhook_id = ? AND state = 0`, w)
	return fromMillis(ms), err
}

// waitingTotal counts the waiting deliveries of a webhook.
func (v *View) waitingTotal(w id.Webhook) (int64, error) {
	return one(v, scanInt, `SELECT count(*) FROM webhook_deliveries WHERE webhook_id = ? AND state = 0`, w)
}

// NoticedEvents lists events of some types after a place in the log, oldest first: of one workspace, or with "" of all.
// It also gives the place up to which it has looked.
func (v *View) NoticedEvents(ws id.Workspace, types []audit.Type, after int64,
	n int) (es []audit.Event, upTo int64, err error) {
	if upTo, err = v.LogHead(); err != nil || len(types) == 0 {
		return nil, upTo, err
	}
	var w where
	w.and("seq > ?", after)
	w.and("seq <= ?", upTo)
	if ws != "" {
		w.and("workspace_id = ?", ws)
	}
	args := make([]any, len(types))
	for i, t := range types {
		args[i] = t
	}
	w.and("type IN ("+places("?", len(types))+")", args...)
	es, err = all(v, scanEvent, eventTable.selects+w.String()+` ORDER BY seq LIMIT ?`, append(w.args, n)...)
	if len(es) == n {
		upTo = es[n-1].Seq
	}
	return es, upTo, err
}

// EventPlace is the place of an event in the log, with its workspace and type.
type EventPlace struct {
	Seq       int64
	Workspace id.Workspace
	Type      audit.Type
}

// EventsAfter lists the places of all events after one, oldest first.
func (v *View) EventsAfter(seq int64, n int) ([]EventPlace, error) {
	return all(v, func(r Rows) (e EventPlace, err error) {
		err = r.Scan(&e.Seq, &e.Workspace, &e.Type)
		return e, err
	}, `SELECT seq, workspace_id, type FROM events WHERE seq > ? ORDER BY seq LIMIT ?`, seq, n)
}

// ExpiringKey is a key whose end comes, or has come.
type ExpiringKey struct {
	ID        id.Key
	Workspace id.Workspace
	User      id.User
	ExpiresAt time.Time
}

// LastKey comes after the ids of all keys.
const LastKey id.Key = "~"

// byExpiry is the expression of the index by expiry: keys without an end come last.
const byExpiry = `(CASE WHEN k.expires_ms = 0 THEN 9223372036854775807 ELSE k.expires_ms END)`

// KeysExpiring lists enabled keys that expire after a time, or then and have a later id than the key, and not after
// upTo: of one workspace, or with "" of all, in the order of their ends and ids.
func (v *View) KeysExpiring(ws id.Workspace, after time.Time, key id.Key, upTo time.Time,
	n int) ([]ExpiringKey, error) {
	query := `SELECT k.id, k.workspace_id, k.user_id, k.expires_ms FROM workspaces w JOIN api_keys k ON k.workspace_id = w.id
		AND (` + byExpiry + `, k.id) > (?, ?) AND ` + byExpiry + ` <= ? WHERE w.deleted_ms = 0 AND k.is_active = 1`
	args := []any{millis(after), key, millis(upTo)}
	if ws != "" {
		query, args = query+` AND w.id = ?`, append(args, ws)
	}
	return all(v, func(r Rows) (k ExpiringKey, err error) {
		var ms int64
		err = r.Scan(&k.ID, &k.Workspace, &k.User, &ms)
		k.ExpiresAt = fromMillis(ms)
		return k, err
	}, query+` ORDER BY `+byExpiry+`, k.id LIMIT ?`, append(args, n)...)
}

// Level is how near to a limit a webhook was told that a workspace is.
type Level struct {
	Workspace id.Workspace
	Quota     string
	Mark      string
	Level     int64
}

// Levels lists those of a webhook.
func (v *View) Levels(w id.Webhook) ([]Level, error) {
	return all(v, func(r Rows) (l Level, err error) {
		err = r.Scan(&l.Workspace, &l.Quota, &l.Mark, &l.Level)
		return l, err
	}, `SELECT workspace_id, quota, mark, level FROM webhook_levels WHERE webhook_id = ?`, w)
}

// PutLevel keeps one, in the transaction that queues its notice.
func (c *Counting) PutLevel(w id.Webhook, l Level) error {
	_, err := c.exec(`INSERT INTO webhook_levels (webhook_id, workspace_id, quota, mark, level) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (webhook_id, workspace_id, quota) DO UPDATE SET mark = excluded.mark, level = excluded.level`,
		w, l.Workspace, l.Quota, l.Mark, l.Level)
	if err != nil {
		return fmt.Errorf("keep how near a limit is: %w", err)
	}
	return nil
}

// ErrNotLeader says that another node sends the notices, or that a webhook has changed since it was read: nothing was
// written.
var ErrNotLeader = errors.New("another node sends the notices, or the webhook has changed")

// ErrQueueFull says that as many notices wait for a webhook as may.
var ErrQueueFull = errors.New("the queue of the webhook is full")

// Place is how far the notices of a webhook are queued: in the log, and by the clock.
type Place struct {
	Seq    int64
	Looked time.Time
	Key    id.Key
}

// Queue appends notices to the queue of a webhook and moves its places in the log and in time, in one transaction. e is
// the webhook as it was read. It holds the queue to its bounds.
func (c *Counting) Queue(node string, e *notice.Endpoint, to Place, all []notice.Delivery) error {
	if leads, err := c.leases(node); err != nil || !leads {
		return errors.Join(err, ErrNotLeader)
	}
	if len(all) > 0 {
		n, err := c.waitingTotal(e.ID)
		if err != nil {
			return err
		}
		if n+int64(len(all)) > notice.MaxPending {
			return ErrQueueFull
		}
	}
	n, err := c.exec(`UPDATE webhooks SET seq = ?, looked_ms = ?, looked_id = ?, next = next + ?
		WHERE id = ? AND seq = ? AND looked_ms = ? AND looked_id = ? AND is_active = 1 AND deleted_ms = 0`,
		to.Seq, millis(to.Looked), to.Key, len(all), e.ID, e.Seq, millis(e.Looked), e.LookedKey)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNotLeader
	}
	next, err := one(c.View, scanInt, `SELECT next FROM webhooks WHERE id = ?`, e.ID)
	if err != nil {
		return err
	}
	for i := range all {
		d := &all[i]
		d.Endpoint, d.Number, d.State, d.CreatedAt = e.ID, next-int64(len(all)-i), notice.Pending, c.now
		d.NextAt = c.now
		if _, err := c.exec(deliveryTable.insert, deliveryTable.inserted(d)...); err != nil {
			return fmt.Errorf("queue a notice: %w", err)
		}
	}
	return c.dropEnded(e.ID, next-notice.KeptDeliveries)
}

// dropAtOnce is how many ended deliveries go in the transaction that queues new ones: more than those, so that the
// bound is kept.
const dropAtOnce = 200

func (c *Counting) dropEnded(w id.Webhook, below int64) error {
	if below <= 0 {
		return nil
	}
	_, err := c.exec(`DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries
		WHERE webhook_id = ? AND number < ? AND state > 0 ORDER BY number LIMIT ?)`, w, below, dropAtOnce)
	return err
}

// AddDelivery queues one delivery on demand: a test, or a replay.
func (tx *Tx) AddDelivery(d notice.Delivery) (notice.Delivery, error) {
	e, err := tx.Webhook(d.Endpoint)
	if err != nil {
		return d, err
	}
	n, err := tx.waitingTotal(e.ID)
	if err != nil {
		return d, err
	}
	if n >= notice.MaxPending {
		return d, ErrQueueFull
	}
	d.Number, d.State, d.CreatedAt, d.NextAt = e.Next, notice.Pending, tx.now, tx.now
	if err := tx.execBeside(`UPDATE webhooks SET next = next + 1 WHERE id = ?`, e.ID); err != nil {
		return d, err
	}
	return d, tx.execBeside(deliveryTable.insert, deliveryTable.inserted(&d)...)
}

// Attempted writes the outcomes of attempts, and since when the webhook fails: zero where nothing does.
func (c *Counting) Attempted(node string, w id.Webhook, all []notice.Delivery) error {
	if leads, err := c.leases(node); err != nil || !leads {
		return errors.Join(err, ErrNotLeader)
	}
	var delivered time.Time
	for i := range all {
		d := &all[i]
		if d.State == notice.Delivered && d.Last.After(delivered) {
			delivered = d.Last
		}
		// A delivery that was ended meanwhile, because its webhook was switched off, stays ended.
		if _, err := c.exec(deliveryTable.update+` WHERE id = ? AND state = 0`,
			deliveryTable.changed(d, d.ID)...); err != nil {
			return fmt.Errorf("write an attempt: %w", err)
		}
	}
	failing, err := one(c.View, scanInt, `SELECT CAST(coalesce(min(first_ms), 0) AS BIGINT) FROM webhook_deliveries
		WHERE webhook_id = ? AND state = 0 AND first_ms > 0`, w)
	if err != nil {
		return err
	}
	_, err = c.exec(`UPDATE webhooks SET failing_ms = ?, delivered_ms = CASE WHEN delivered_ms < ? THEN ? ELSE delivered_ms END
		WHERE id = ?`, failing, millis(delivered), millis(delivered), w)
	return err
}
