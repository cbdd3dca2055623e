package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
)

// A settlement is open until every row agrees with it. Meanwhile each reader of keys judges the covered ones by it:
// Key, Keys and the counts here, and the replica by the feed, which tells settlements beside the rows.

// settlementsKept is for how long a settlement that is done is kept: a node that reads the change log may meet it for
// that long.
const settlementsKept = 24 * time.Hour

// unsettled tells of the row k whether an open settlement covers it.
const unsettled = `CASE WHEN EXISTS (SELECT 1 FROM settlements s WHERE s.workspace_id = k.workspace_id AND s.user_id = k.user_id
	AND s.period >= k.period AND s.done_ms = 0) THEN 1 ELSE 0 END`

// Unsettled is a settlement with the data for writing its rows.
type Unsettled struct {
	apikey.Settlement
	Origin string // as it was given to Settle
	After  string // the id of the last key that has been looked at; "" before the first
}

type settlementRow struct {
	Unsettled
	ceiling      string
	worked, done time.Time
}

var settlementTable = newTable("settlements", "",
	plain("id", func(s *settlementRow) *id.Settlement { return &s.ID }),
	plain("workspace_id", func(s *settlementRow) *id.Workspace { return &s.Workspace }),
	plain("user_id", func(s *settlementRow) *id.User { return &s.User }),
	plain("period", func(s *settlementRow) *int64 { return &s.Period }),
	plain("kind", func(s *settlementRow) *apikey.SettlementKind { return &s.Kind }),
	plain("heir", func(s *settlementRow) *id.User { return &s.Heir }),
	plain("ceiling", func(s *settlementRow) *string { return &s.ceiling }),
	coded("bound", func(s *settlementRow) **account.Bound { return &s.Bound }, encodeBound, decodeBound),
	plain("decided_by", func(s *settlementRow) *string { return &s.By }),
	instant("decided_ms", func(s *settlementRow) *time.Time { return &s.At }),
	plain("origin", func(s *settlementRow) *string { return &s.Origin }),
	plain("after_id", func(s *settlementRow) *string { return &s.After }),
	instant("worked_ms", func(s *settlementRow) *time.Time { return &s.worked }),
	instant("done_ms", func(s *settlementRow) *time.Time { return &s.done }),
)

var selectSettlements = settlementTable.selects

func (v *View) scanUnsettled(r Rows) (Unsettled, error) {
	row, err := settlementTable.scan(r)
	if err != nil {
		return row.Unsettled, fmt.Errorf("settlement %s: %w", row.ID, err)
	}
	row.Ceiling = v.db.catalogue.Known(strings.Fields(row.ceiling))
	row.Done = !row.done.IsZero()
	return row.Unsettled, nil
}

func (v *View) scanSettlement(r Rows) (apikey.Settlement, error) {
	u, err := v.scanUnsettled(r)
	return u.Settlement, err
}

// keptBound is how the bound of a transfer is written.
type keptBound struct {
	ExpiresMS int64          `json:"expiresMs,omitzero"`
	PerMinute int64          `json:"perMinute,omitzero"`
	PerDay    int64          `json:"perDay,omitzero"`
	Networks  []netip.Prefix `json:"networks,omitzero"`
}

func encodeBound(b *account.Bound) string {
	if b == nil {
		return ""
	}
	text, _ := json.Marshal(
		keptBound{millis(b.ExpiresAt), b.Limits.PerMinute, b.Limits.PerDay, b.AllowedIPs},
	) // never fails
	return string(text)
}

// decodeBound fails for a text that it cannot read: a lost bound would let every key go over.
func decodeBound(text string) (*account.Bound, error) {
	if text == "" {
		return nil, nil
	}
	var kept keptBound
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return nil, fmt.Errorf("bound: %w", err)
	}
	return &account.Bound{ExpiresAt: fromMillis(kept.ExpiresMS),
		Limits: ratelimit.Limits{PerMinute: kept.PerMinute, PerDay: kept.PerDay}, AllowedIPs: kept.Networks}, nil
}

// OpenSettlements lists those of a user's keys that are not done, in the order in which they apply.
func (v *View) OpenSettlements(ws id.Workspace, u id.User) ([]apikey.Settlement, error) {
	return all(
		v, v.scanSettlement, selectSettlements+` WHERE workspace_id = ? AND user_id = ? AND done_ms = 0 ORDER BY period`, ws,
		u,
	)
}

// settling tells whether a settlement of keys of the workspace is open.
func (v *View) settling(ws id.Workspace) (bool, error) {
	found, err := all(v, scanInt, `SELECT 1 FROM settlements WHERE workspace_id = ? AND done_ms = 0 LIMIT 1`, ws)
	return len(found) > 0, err
}

// settle has open settlements change the keys that they cover.
func (v *View) settle(keys ...*apikey.Key) error {
	open := make(map[memberID][]apikey.Settlement)
	for _, k := range keys {
		if !k.Unsettled {
			continue
		}
		of := memberID{k.Workspace, k.User}
		list, known := open[of]
		if !known {
			var err error
			if list, err = v.OpenSettlements(k.Workspace, k.User); err != nil {
				return err
			}
			open[of] = list
		}
		for i := range list {
			if list[i].Period >= k.Period {
				list[i].Apply(k)
			}
		}
	}
	return nil
}

// period is which membership of the user, in the workspace, it is now.
func (tx *Tx) period(ws id.Workspace, u id.User) (int64, error) {
	if m, known := cachedValue[account.Member](tx.View, memberID{ws, u}); known {
		return m.Period, nil
	}
	return cachedOrRead(tx.View, periodID{ws, u}, func() (int64, error) {
		found, err := all(tx.View, scanInt, `SELECT period FROM members WHERE workspace_id = ? AND user_id = ?`, ws, u)
		return first(found), err
	})
}

// Settle decides the outcome for all keys of a user, and begins another period of the user's membership: no key that
// is made or changed from now on is covered. It sets the settlement's Period. origin is the caller's, for the writer
// of the rows.
func (tx *Tx) Settle(s *apikey.Settlement, origin string) error {
	if err := tx.settleUser(s, origin); err != nil {
		return fmt.Errorf("settle the keys of a member: %w", err)
	}
	told := *s
	tx.changed(feed.Change{Settlement: &told})
	return nil
}

func (tx *Tx) settleUser(s *apikey.Settlement, origin string) (err error) {
	if err := tx.alive(s.Workspace); err != nil {
		return err
	}
	if s.Period, err = tx.period(s.Workspace, s.User); err != nil {
		return err
	}
	if err := tx.userSettled(s.Workspace, s.User); err != nil {
		return err
	}
	s.At = whole(s.At)
	err = tx.exec(`UPDATE members SET period = period + 1 WHERE workspace_id = ? AND user_id = ?`, s.Workspace, s.User)
	if err != nil {
		return err
	}
	row := settlementRow{
		Unsettled: Unsettled{Settlement: *s, Origin: origin}, ceiling: joinNames(tx.db.catalogue, s.Ceiling), worked: tx.now,
	}
	return tx.exec(settlementTable.insert, settlementTable.inserted(&row)...)
}

// HasKept tells whether the user has keys that were kept when the user left, or are about to be.
func (v *View) HasKept(ws id.Workspace, u id.User) (bool, error) {
	found, err := all(v, scanInt, `SELECT 1 FROM api_keys WHERE workspace_id = ? AND user_id = ? AND is_orphan = 1
		UNION ALL SELECT 1 FROM settlements WHERE workspace_id = ? AND user_id = ? AND done_ms = 0 AND kind = ? LIMIT 1`,
		ws, u, ws, u, apikey.Keep)
	return len(found) > 0, err
}

// NarrowHeirs removes permissions from open transfers in a workspace that their heirs no longer hold. They are never
// given back: a key that has stopped by this stays stopped, whatever the heir holds later.
func (tx *Tx) NarrowHeirs(ws id.Workspace) error {
	open, err := all(
		tx.View, tx.scanSettlement, selectSettlements+` WHERE workspace_id = ? AND done_ms = 0 AND kind = ? ORDER BY id`, ws,
		apikey.Transfer,
	)
	if err != nil {
		return err
	}
	for i := range open {
		if err := tx.narrowHeir(&open[i]); err != nil {
			return fmt.Errorf("narrow a transfer: %w", err)
		}
	}
	return nil
}

func (tx *Tx) narrowHeir(s *apikey.Settlement) error {
	heir, holds, err := tx.heirHolds(s)
	if err != nil || heir == s.Heir && s.Ceiling.Within(holds) {
		return err
	}
	s.Heir, s.Ceiling = heir, s.Ceiling.And(holds)
	err = tx.execBeside(
		`UPDATE settlements SET ceiling = ?, heir = ? WHERE id = ?`, joinNames(tx.db.catalogue, s.Ceiling), s.Heir, s.ID,
	)
	if err != nil {
		return err
	}
	tx.changed(feed.Change{Settlement: s})
	return tx.EndRemoval(s.ID, RemovalNarrowed)
}

// heirHolds returns the current permissions of a transfer's heir; heir is empty if they are no member any more.
func (tx *Tx) heirHolds(s *apikey.Settlement) (heir id.User, holds perm.Set, err error) {
	m, err := tx.Member(s.Workspace, s.Heir)
	if errors.Is(err, ErrNotFound) {
		return "", holds, nil
	}
	if err != nil {
		return "", holds, err
	}
	r, err := tx.Role(s.Workspace, m.Role)
	return s.Heir, r.Permissions, err
}
