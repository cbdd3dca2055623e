package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

const selectServiceKeys = `SELECT id, name, scopes, from_env, masked, pepper, digest, created_ms, expires_ms, bounds FROM service_keys`

func scanServiceKey(r Rows) (k account.ServiceKey, err error) {
	var scopes, bounds string
	var digest []byte
	var created, expires int64
	err = r.Scan(&k.ID, &k.Name, &scopes, &k.FromEnv, &k.Masked, &k.Digest.Pepper, &digest, &created, &expires, &bounds)
	if err != nil {
		return k, err
	}
	for s := range strings.FieldsSeq(scopes) {
		k.Scopes = append(k.Scopes, account.Scope(s))
	}
	copy(k.Digest.Sum[:], digest)
	k.CreatedAt, k.ExpiresAt = fromMillis(created), fromMillis(expires)
	if k.Bounds, err = decodeBounds(bounds); err != nil {
		return k, fmt.Errorf("service key %s: %w", k.ID, err)
	}
	return k, nil
}

// ServiceKey reads a service key, also an expired one.
func (v *View) ServiceKey(k id.ServiceKey) (account.ServiceKey, error) {
	found, err := cachedOrRead(v, k, func() (account.ServiceKey, error) {
		return one(v, scanServiceKey, selectServiceKeys+` WHERE id = ?`, k)
	})
	found.Scopes, found.Bounds = slices.Clone(found.Scopes), found.Bounds.Clone()
	return found, err
}

// ServiceKeys lists them, the newest first.
func (v *View) ServiceKeys(p Page) ([]account.ServiceKey, error) {
	var w where
	if p.After != "" {
		w.and("id < ?", p.After)
	}
	return all(v, scanServiceKey, selectServiceKeys+w.String()+` ORDER BY id DESC LIMIT ?`, append(w.args, limit(p.Limit))...)
}

// PutServiceKey inserts or replaces by id. ErrDuplicate says that another one has its digest.
func (tx *Tx) PutServiceKey(k account.ServiceKey) error {
	scopes := make([]string, len(k.Scopes))
	for i, s := range k.Scopes {
		scopes[i] = string(s)
	}
	bounds, err := encodeBounds(k.Bounds)
	if err != nil {
		return fmt.Errorf("put service key: %w", err)
	}
	err = tx.exec(`INSERT INTO service_keys (id, name, scopes, from_env, masked, pepper, digest, created_ms, expires_ms, bounds)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, scopes = excluded.scopes, from_env = excluded.from_env,
			masked = excluded.masked, pepper = excluded.pepper, digest = excluded.digest, expires_ms = excluded.expires_ms,
			bounds = excluded.bounds`,
		k.ID, k.Name, strings.Join(scopes, " "), toInt(k.FromEnv), k.Masked, k.Digest.Pepper, k.Digest.Sum[:],
		millis(k.CreatedAt), millis(k.ExpiresAt), bounds)
	if err != nil {
		return fmt.Errorf("put service key: %w", err)
	}
	now, err := tx.ServiceKey(k.ID)
	if err != nil {
		return fmt.Errorf("put service key: %w", err)
	}
	tx.changed(feed.Change{ServiceKey: &now})
	return nil
}

// DeleteServiceKey removes a service key.
func (tx *Tx) DeleteServiceKey(k id.ServiceKey) error {
	if err := tx.exec(`DELETE FROM service_keys WHERE id = ?`, k); err != nil {
		return fmt.Errorf("delete service key: %w", err)
	}
	tx.changed(feed.Change{ServiceKeyGone: k})
	return nil
}
