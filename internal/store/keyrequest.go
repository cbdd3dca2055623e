package store

import (
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
)

var requestTable = newTable("key_requests", "",
	plain("id", func(r *apikey.Request) *id.Request { return &r.ID }),
	plain("workspace_id", func(r *apikey.Request) *id.Workspace { return &r.Workspace }),
	plain("key_id", func(r *apikey.Request) *id.Key { return &r.Key }),
	plain("rotates", func(r *apikey.Request) *bool { return &r.Rotates }),
	plain("user_id", func(r *apikey.Request) *id.User { return &r.User }),
	plain("terms", func(r *apikey.Request) *string { return &r.Terms }),
	plain("actor_id", func(r *apikey.Request) *string { return &r.Actor }),
	plain("asker", func(r *apikey.Request) *string { return &r.Asker }),
	instant("created_ms", func(r *apikey.Request) *time.Time { return &r.CreatedAt }),
	instant("expires_ms", func(r *apikey.Request) *time.Time { return &r.ExpiresAt }),
	instant("ended_ms", func(r *apikey.Request) *time.Time { return &r.EndedAt }),
	plain("confirmed", func(r *apikey.Request) *bool { return &r.Confirmed }),
)

// KeyRequest reads a request, also one that has ended.
func (v *View) KeyRequest(r id.Request) (apikey.Request, error) {
	return one(v, requestTable.scan, requestTable.selects+` WHERE id = ?`, r)
}

// waiting picks the requests of a workspace that wait to be confirmed: see apikey.Request.State.
func (v *View) waiting(ws id.Workspace) (w where) {
	w.and("workspace_id = ?", ws)
	w.and("ended_ms = 0")
	w.and("expires_ms > ?", millis(v.now))
	w.and("expires_ms <= ?", millis(v.now.Add(apikey.RequestLife+time.Minute)))
	return w
}

// RequestFilter picks requests that wait to be confirmed.
type RequestFilter struct {
	Workspace id.Workspace
	User      id.User // who asked, or whose key it is; "" for all
	Page
}

// KeyRequests lists the requests that wait to be confirmed, the newest first.
func (v *View) KeyRequests(f RequestFilter) ([]apikey.Request, error) {
	w := v.waiting(f.Workspace)
	if f.User != "" {
		w.and("(actor_id = ? OR user_id = ?)", string(f.User), f.User)
	}
	if f.After != "" {
		w.and("id < ?", f.After)
	}
	return all(v, requestTable.scan, requestTable.selects+w.String()+` ORDER BY id DESC LIMIT ?`,
		append(w.args, limit(f.Limit))...)
}

// KeyRequestTotal counts the requests of an actor that wait to be confirmed.
func (v *View) KeyRequestTotal(ws id.Workspace, actor string) (int64, error) {
	w := v.waiting(ws)
	w.and("actor_id = ?", actor)
	return one(v, scanInt, `SELECT count(*) FROM key_requests`+w.String(), w.args...)
}

// RequestedKeyTotal counts the keys of a workspace that are there once the requests for them are confirmed.
func (v *View) RequestedKeyTotal(ws id.Workspace) (int64, error) {
	w := v.waiting(ws)
	w.and("rotates = 0")
	return one(v, scanInt, `SELECT count(*) FROM key_requests`+w.String(), w.args...)
}

// PutKeyRequest inserts a request.
func (tx *Tx) PutKeyRequest(r apikey.Request) error {
	if err := tx.alive(r.Workspace); err != nil {
		return err
	}
	if err := tx.execBeside(requestTable.insert, requestTable.inserted(&r)...); err != nil {
		return fmt.Errorf("put request for a key: %w", err)
	}
	return nil
}

// EndKeyRequest ends a request, and forgets the credential that asked. ErrNotFound says that it has ended before.
func (tx *Tx) EndKeyRequest(r id.Request, confirmed bool) error {
	err := tx.execBeside(
		`UPDATE key_requests SET ended_ms = ?, confirmed = ?, asker = '' WHERE id = ? AND ended_ms = 0`, millis(tx.now),
		toInt(confirmed), r,
	)
	if err != nil {
		return fmt.Errorf("end request for a key: %w", err)
	}
	return nil
}

// ForgetKeyRequests takes away all requests. There may be none.
func (tx *Tx) ForgetKeyRequests() error {
	if _, err := tx.q.Exec(tx.ctx, `DELETE FROM key_requests`); err != nil {
		return fmt.Errorf("forget requests for keys: %w", err)
	}
	return nil
}

// requestsKept is how long a request stays readable after its end, so that its asker can be told what became of it.
const requestsKept = time.Hour

// keyRequests removes old requests.
func (p *purger) keyRequests() {
	p.remove(`DELETE FROM key_requests WHERE id IN (SELECT id FROM key_requests WHERE expires_ms <= ? LIMIT ?)`,
		millis(p.now.Add(-requestsKept)))
}

// keyRequestsOf removes the requests of a deleted workspace.
func (p *purger) keyRequestsOf(ws id.Workspace) bool {
	return p.remove(`DELETE FROM key_requests WHERE id IN (SELECT id FROM key_requests WHERE workspace_id = ? LIMIT ?)`,
		ws)
}
