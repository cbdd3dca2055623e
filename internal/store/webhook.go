package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/notice"
)

var webhookTable = newTable("webhooks", "",
	plain("id", func(e *notice.Endpoint) *id.Webhook { return &e.ID }).fixed(),
	plain("workspace_id", func(e *notice.Endpoint) *id.Workspace { return &e.Workspace }).fixed(),
	plain("url", func(e *notice.Endpoint) *string { return &e.URL }),
	plain("description", func(e *notice.Endpoint) *string { return &e.Description }),
	coded("kinds", func(e *notice.Endpoint) *[]notice.Kind { return &e.Kinds }, joinKinds, splitKinds),
	plain("is_active", func(e *notice.Endpoint) *bool { return &e.IsActive }),
	plain("reason", func(e *notice.Endpoint) *string { return &e.Reason }),
	coded("secret", func(e *notice.Endpoint) *[]byte { return &e.Secret }, notNull, asIs),
	coded("previous", func(e *notice.Endpoint) *[]byte { return &e.Previous }, notNull, asIs),
	instant("previous_ms", func(e *notice.Endpoint) *time.Time { return &e.PreviousUntil }),
	plain("pepper", func(e *notice.Endpoint) *string { return &e.Pepper }),
	plain("created_by", func(e *notice.Endpoint) *string { return &e.CreatedBy }).fixed(),
	instant("created_ms", func(e *notice.Endpoint) *time.Time { return &e.CreatedAt }).fixed(),
	instant("updated_ms", func(e *notice.Endpoint) *time.Time { return &e.UpdatedAt }),
	instant("deleted_ms", func(e *notice.Endpoint) *time.Time { return &e.Deleted }).fixed(),
	plain("seq", func(e *notice.Endpoint) *int64 { return &e.Seq }),
	instant("looked_ms", func(e *notice.Endpoint) *time.Time { return &e.Looked }),
	plain("looked_id", func(e *notice.Endpoint) *id.Key { return &e.LookedKey }),
	plain("next", func(e *notice.Endpoint) *int64 { return &e.Next }),
	instant("failing_ms", func(e *notice.Endpoint) *time.Time { return &e.FailingSince }),
	instant("delivered_ms", func(e *notice.Endpoint) *time.Time { return &e.LastDelivered }),
	coded("since", func(e *notice.Endpoint) *map[notice.Kind]notice.Start { return &e.Since }, joinSince, splitSince),
)

// joinSince writes each kind with its place and its moment: api_key.created=17@1790000000000.
func joinSince(since map[notice.Kind]notice.Start) string {
	var words []string
	for _, k := range slices.Sorted(maps.Keys(since)) {
		words = append(words, fmt.Sprintf("%s=%d@%d", k, since[k].Seq, millis(since[k].At)))
	}
	return strings.Join(words, " ")
}

func splitSince(text string) (map[notice.Kind]notice.Start, error) {
	if text == "" {
		return nil, nil
	}
	since := map[notice.Kind]notice.Start{}
	for _, word := range strings.Fields(text) {
		kind, place, _ := strings.Cut(word, "=")
		var seq, ms int64
		if _, err := fmt.Sscanf(place, "%d@%d", &seq, &ms); err != nil {
			return nil, fmt.Errorf("read where the notices %q begin: %w", word, err)
		}
		since[notice.Kind(kind)] = notice.Start{Seq: seq, At: fromMillis(ms)}
	}
	return since, nil
}

// notNull writes no bytes as an empty value.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// asIs reads an empty value as no bytes.
func asIs(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	return b, nil
}

func joinKinds(kinds []notice.Kind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, " ")
}

func splitKinds(text string) (kinds []notice.Kind, _ error) {
	for _, word := range strings.Fields(text) {
		kinds = append(kinds, notice.Kind(word))
	}
	return kinds, nil
}

// ofLiveWorkspace is a condition: the webhook is there, and its workspace, if it has one.
const ofLiveWorkspace = `deleted_ms = 0 AND (workspace_id = '' OR EXISTS
	(SELECT 1 FROM workspaces w WHERE w.id = webhooks.workspace_id AND w.deleted_ms = 0))`

// Webhook reads one.
func (v *View) Webhook(w id.Webhook) (notice.Endpoint, error) {
	return one(v, webhookTable.scan, webhookTable.selects+` WHERE id = ? AND `+ofLiveWorkspace, w)
}

// Webhooks lists those of a workspace, or with "" those of the installation, the newest first.
func (v *View) Webhooks(ws id.Workspace, p Page) ([]notice.Endpoint, error) {
	var w where
	w.and("workspace_id = ?", ws)
	w.and(ofLiveWorkspace)
	if p.After != "" {
		w.and("id < ?", p.After)
	}
	return all(v, webhookTable.scan, webhookTable.selects+w.String()+` ORDER BY id DESC LIMIT ?`,
		append(w.args, limit(p.Limit))...)
}

// ActiveWebhooks lists a page of those to which notices are sent, of all workspaces, by their ids.
func (v *View) ActiveWebhooks(p Page) ([]notice.Endpoint, error) {
	return all(v, webhookTable.scan, webhookTable.selects+` WHERE id > ? AND is_active = 1 AND `+ofLiveWorkspace+
		` ORDER BY id LIMIT ?`, p.After, limit(p.Limit))
}

// WebhookTotal counts those of a workspace, or with "" those of the installation.
func (v *View) WebhookTotal(ws id.Workspace) (int64, error) {
	return one(v, scanInt, `SELECT count(*) FROM webhooks WHERE workspace_id = ? AND deleted_ms = 0`, ws)
}

// PutWebhook inserts one. Its notices begin after the events that the transaction has recorded so far.
func (tx *Tx) PutWebhook(e notice.Endpoint) error {
	if e.Workspace != "" {
		if err := tx.alive(e.Workspace); err != nil {
			return err
		}
	}
	e.Seq, e.Next = tx.group.head.seq, 1
	e.Looked, e.LookedKey = tx.Floor(), LastKey
	if err := tx.execBeside(webhookTable.insert, webhookTable.inserted(&e)...); err != nil {
		return fmt.Errorf("put webhook: %w", err)
	}
	return nil
}

// UpdateWebhook writes the fields that callers may change. Where it is switched on its notices begin anew, after the
// events that the transaction has recorded so far, and so do those of a kind that it did not choose before. Where it is
// switched off, the waiting ones fail.
func (tx *Tx) UpdateWebhook(e notice.Endpoint) error {
	was, err := tx.Webhook(e.ID)
	if err != nil {
		return err
	}
	e.Seq, e.Looked, e.LookedKey, e.Next = was.Seq, was.Looked, was.LookedKey, was.Next
	e.FailingSince, e.LastDelivered = was.FailingSince, was.LastDelivered
	e.ChooseSince(&was, notice.Start{Seq: tx.group.head.seq, At: tx.Floor()})
	if e.IsActive && !was.IsActive {
		e.Seq, e.FailingSince, e.Reason, e.Since = tx.group.head.seq, time.Time{}, "", nil
		e.Looked, e.LookedKey = tx.Floor(), LastKey
	}
	if !e.IsActive {
		e.FailingSince = time.Time{} // nothing is tried again
	}
	if err := tx.execBeside(webhookTable.update+` WHERE id = ?`, webhookTable.changed(&e, e.ID)...); err != nil {
		return fmt.Errorf("update webhook: %w", err)
	}
	if e.IsActive {
		return nil
	}
	return tx.failWaiting(e.ID)
}

// failWaiting ends the deliveries that wait: notice.MaxPending and the replays at most.
func (tx *Tx) failWaiting(w id.Webhook) error {
	_, err := tx.q.Exec(tx.ctx, `UPDATE webhook_deliveries SET state = 2, error = ?, ended_ms = ?, next_ms = 0
		WHERE webhook_id = ? AND state = 0`, notice.ErrOff, millis(tx.now), w)
	if err != nil {
		return fmt.Errorf("end the waiting deliveries of a webhook: %w", err)
	}
	return nil
}

// DeleteWebhook takes one away, with its secrets. Its deliveries are purged later.
func (tx *Tx) DeleteWebhook(w id.Webhook) error {
	if _, err := tx.Webhook(w); err != nil {
		return err
	}
	if err := tx.execBeside(`UPDATE webhooks SET deleted_ms = ?, is_active = 0, secret = ?, previous = ?, pepper = 'none'
		WHERE id = ? AND deleted_ms = 0`, millis(tx.now), []byte{}, []byte{}, w); err != nil {
		return fmt.Errorf("delete webhook: %w", err)
	}
	return nil
}

// Reseal replaces the secrets of a webhook by the same ones under another seal, unless they have changed meanwhile.
func (c *Counting) Reseal(e *notice.Endpoint, secret, previous []byte, pepper string) error {
	_, err := c.exec(`UPDATE webhooks SET secret = ?, previous = ?, pepper = ?
		WHERE id = ? AND deleted_ms = 0 AND pepper = ? AND updated_ms = ?`,
		notNull(secret), notNull(previous), pepper, e.ID, e.Pepper, millis(e.UpdatedAt))
	if err != nil {
		return fmt.Errorf("seal the secrets of a webhook: %w", err)
	}
	return nil
}

// LeaseWebhooks makes a node the one that sends notices until a time, unless another one has the lease. force takes it
// away from every other one.
func (c *Counting) LeaseWebhooks(node string, until time.Time, force bool) (held bool, err error) {
	query, args := `UPDATE webhook_lease SET node = ?, until_ms = ? WHERE one = 1`, []any{node, millis(until)}
	if !force {
		query += ` AND (node = ? OR until_ms <= ?)`
		args = append(args, node, millis(c.now))
	}
	n, err := c.exec(query, args...)
	if err != nil {
		return false, fmt.Errorf("lease the sending of notices: %w", err)
	}
	return n > 0, nil
}

// DropWebhookLease gives the lease back, so that another node goes on at once.
func (c *Counting) DropWebhookLease(node string) error {
	if _, err := c.exec(`UPDATE webhook_lease SET until_ms = 0 WHERE one = 1 AND node = ?`, node); err != nil {
		return fmt.Errorf("give back the sending of notices: %w", err)
	}
	return nil
}

// WebhookLeaseFree tells whether a node could have the lease now.
func (v *View) WebhookLeaseFree(node string) (bool, error) {
	n, err := one(v, scanInt, `SELECT count(*) FROM webhook_lease WHERE one = 1 AND (node = ? OR until_ms <= ?)`, node,
		millis(v.now))
	return n > 0, err
}

// leases tells whether a node has the lease.
func (v *View) leases(node string) (bool, error) {
	n, err := one(v, scanInt, `SELECT count(*) FROM webhook_lease WHERE one = 1 AND node = ?`, node)
	return n > 0, err
}

// Planned lists a page of workspaces whose plan has a limit per day or a quota of keys, by their ids.
func (v *View) Planned(p Page) ([]account.Workspace, error) {
	return all(v, scanWorkspace, selectWorkspaces+` WHERE id > ? AND deleted_ms = 0 AND (plan_per_day > 0 OR max_keys > 0)
		ORDER BY id LIMIT ?`, p.After, limit(p.Limit))
}

// SpentToday is how much of the day's limit that all keys of a workspace share has been reserved, and the day, counted
// from 1970.
func (v *View) SpentToday(ws id.Workspace) (reserved, day int64, err error) {
	day = dayOf(v.now)
	u, ok := id.Parse(string(ws))
	if !ok {
		return 0, day, nil
	}
	reserved, err = one(v, scanInt,
		`SELECT CAST(coalesce(max(reserved), 0) AS BIGINT) FROM day_quotas WHERE key_id = ? AND day = ?`, u[:], day)
	return reserved, day, err
}

// webhooks removes the deliveries that have ended long ago, and deleted webhooks from the leaves inwards.
func (p *purger) webhooks() {
	p.remove(`DELETE FROM webhook_deliveries WHERE id IN
		(SELECT id FROM webhook_deliveries WHERE state > 0 AND ended_ms <= ? LIMIT ?)`, millis(p.now.Add(-notice.KeptFor)))
	if p.err != nil {
		return
	}
	dead, err := all(p.View, webhookTable.scan, webhookTable.selects+` WHERE deleted_ms > 0 ORDER BY id LIMIT 1`)
	if p.err = err; err == nil && len(dead) > 0 {
		p.webhook(dead[0].ID)
	}
}

// webhook removes one with all that belongs to it.
func (p *purger) webhook(w id.Webhook) (empty bool) {
	return p.remove(
		`DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries WHERE webhook_id = ? LIMIT ?)`, w) &&
		p.remove(`DELETE FROM webhook_levels WHERE (webhook_id, workspace_id, quota) IN
			(SELECT webhook_id, workspace_id, quota FROM webhook_levels WHERE webhook_id = ? LIMIT ?)`, w) &&
		p.remove(`DELETE FROM webhooks WHERE id IN (SELECT id FROM webhooks WHERE id = ? LIMIT ?)`, w)
}

// webhooksOf removes the webhooks of a deleted workspace.
func (p *purger) webhooksOf(ws id.Workspace) (empty bool) {
	found, err := all(p.View, webhookTable.scan, webhookTable.selects+` WHERE workspace_id = ? ORDER BY id`, ws)
	if p.err = err; err != nil {
		return false
	}
	for i := range found {
		if !p.webhook(found[i].ID) {
			return false
		}
	}
	return true
}
