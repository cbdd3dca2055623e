package store

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

// serviceKeyRow is a service key as its row has it.
type serviceKeyRow struct {
	account.ServiceKey
	bounds string
}

var serviceKeyTable = newTable("service_keys", "",
	plain("id", func(k *serviceKeyRow) *id.ServiceKey { return &k.ID }).fixed(),
	plain("name", func(k *serviceKeyRow) *string { return &k.Name }),
	coded("scopes", func(k *serviceKeyRow) *[]account.Scope { return &k.Scopes }, joinScopes, splitScopes),
	plain("from_env", func(k *serviceKeyRow) *bool { return &k.FromEnv }),
	plain("masked", func(k *serviceKeyRow) *string { return &k.Masked }),
	plain("pepper", func(k *serviceKeyRow) *keyfmt.PepperID { return &k.Digest.Pepper }),
	digest("digest", func(k *serviceKeyRow) *keyfmt.Digest { return &k.Digest.Sum }),
	second(
		func(k *serviceKeyRow) *keyfmt.Stored { return &k.Second },
		func(k *serviceKeyRow) *keyfmt.Digest { return &k.Digest.Sum },
	),
	instant("created_ms", func(k *serviceKeyRow) *time.Time { return &k.CreatedAt }).fixed(),
	instant("expires_ms", func(k *serviceKeyRow) *time.Time { return &k.ExpiresAt }),
	plain("bounds", func(k *serviceKeyRow) *string { return &k.bounds }),
)

var selectServiceKeys = serviceKeyTable.selects

func scanServiceKey(r Rows) (account.ServiceKey, error) {
	row, err := serviceKeyTable.scan(r)
	if err == nil {
		err = decodeServiceKey(row.bounds, &row.ServiceKey)
	}
	if err != nil {
		return row.ServiceKey, fmt.Errorf("service key %s: %w", row.ID, err)
	}
	return row.ServiceKey, nil
}

func joinScopes(scopes []account.Scope) string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = string(s)
	}
	return strings.Join(words, " ")
}

func splitScopes(text string) (scopes []account.Scope, err error) {
	for s := range strings.FieldsSeq(text) {
		scopes = append(scopes, account.Scope(s))
	}
	return scopes, nil
}

// ServiceKey reads a service key, also an expired one.
func (v *View) ServiceKey(k id.ServiceKey) (account.ServiceKey, error) {
	found, err := cachedOrRead(v, k, func() (account.ServiceKey, error) {
		return one(v, scanServiceKey, selectServiceKeys+` WHERE id = ?`, k)
	})
	found.Scopes, found.Bounds = slices.Clone(found.Scopes), found.Bounds.Clone()
	found.FollowerModes = slices.Clone(found.FollowerModes)
	return found, err
}

// ServiceKeys lists them, the newest first.
func (v *View) ServiceKeys(p Page) ([]account.ServiceKey, error) {
	var w where
	if p.After != "" {
		w.and("id < ?", p.After)
	}
	return all(
		v,
		scanServiceKey,
		selectServiceKeys+w.String()+` ORDER BY id DESC LIMIT ?`,
		append(w.args, limit(p.Limit))...)
}

// PutServiceKey inserts or replaces by id. ErrDuplicate says that another one has its digest.
func (tx *Tx) PutServiceKey(k account.ServiceKey) error {
	row := serviceKeyRow{ServiceKey: k}
	var err error
	if row.bounds, err = encodeServiceKey(&k); err == nil {
		err = tx.exec(serviceKeyTable.upsert, serviceKeyTable.inserted(&row)...)
	}
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
	before, err := tx.ServiceKey(k)
	if err == nil {
		err = tx.exec(`DELETE FROM service_keys WHERE id = ?`, k)
	}
	if err != nil {
		return fmt.Errorf("delete service key: %w", err)
	}
	tx.changed(feed.Change{ServiceKeyGone: k, In: boundTo(&before)})
	return nil
}
