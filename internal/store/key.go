package store

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

// KeyFilter selects keys of one workspace.
type KeyFilter struct {
	Workspace id.Workspace
	User      id.User              // "" for everybody's
	Of        []keyfmt.Environment // nil for all; one that is empty selects nothing
	Active    *bool                // nil for both
	// part of the name, description, user id, masked value or id, in any case; every character stands for itself
	Search   string
	Standing apikey.Standing
	Order    apikey.Order
	UpTo     string // no key beyond this Position; "" for no bound

	Permission     string    // that the keys hold; "" for any
	ExpiringBefore time.Time // the keys expire, and do before it; zero for any, as for the next two
	UnusedSince    time.Time // the keys were neither used nor made at it or later
	TriedSince     time.Time // the keys were asked about at it or later

	// Along walks the index of the order alone, whatever the other conditions select. Its cost is that of the walk,
	// which UpTo bounds.
	Along bool
	// Own reads all keys of User and sorts them, in whichever order, and looks at no key of others: for a user of few
	// keys (FewKeys).
	Own bool

	usedBefore time.Time // UnusedSince of the uses alone
	Page
}

// keyRow is a key as its row has it: its earlier values are rows of their own, and its permissions a number.
type keyRow struct {
	apikey.Key
	set         int64
	hasPrevious bool
}

// keyTable has all columns of api_keys. A change of the set is a statement of its own: see updateKey.
var keyTable = newTable("api_keys", "k",
	plain("id", func(k *keyRow) *id.Key { return &k.ID }).fixed(),
	plain("workspace_id", func(k *keyRow) *id.Workspace { return &k.Workspace }).fixed(),
	plain("user_id", func(k *keyRow) *id.User { return &k.User }),
	plain("name", func(k *keyRow) *string { return &k.Name }),
	plain("environment", func(k *keyRow) *keyfmt.Environment { return &k.Environment }),
	plain("is_active", func(k *keyRow) *bool { return &k.IsActive }),
	plain("is_revoked", func(k *keyRow) *bool { return &k.Revoked }),
	plain("is_orphan", func(k *keyRow) *bool { return &k.Orphan }),
	plain("set_id", func(k *keyRow) *int64 { return &k.set }).fixed(),
	plain("per_minute", func(k *keyRow) *int64 { return &k.Limits.PerMinute }),
	plain("per_day", func(k *keyRow) *int64 { return &k.Limits.PerDay }),
	coded("allowed_ips", func(k *keyRow) *[]netip.Prefix { return &k.AllowedIPs }, joinPrefixes, parsePrefixes),
	plain("description", func(k *keyRow) *string { return &k.Description }),
	plain("metadata", func(k *keyRow) *string { return &k.Metadata }),
	instant("created_ms", func(k *keyRow) *time.Time { return &k.CreatedAt }),
	instant("updated_ms", func(k *keyRow) *time.Time { return &k.UpdatedAt }),
	instant("last_used_ms", func(k *keyRow) *time.Time { return &k.LastUsedAt }),
	instant("last_tried_ms", func(k *keyRow) *time.Time { return &k.LastTriedAt }),
	instant("expires_ms", func(k *keyRow) *time.Time { return &k.ExpiresAt }),
	plain("masked", func(k *keyRow) *string { return &k.Value.Masked }),
	plain("pepper", func(k *keyRow) *keyfmt.PepperID { return &k.Value.Digest.Pepper }),
	digest("digest", func(k *keyRow) *keyfmt.Digest { return &k.Value.Digest.Sum }),
	second(
		func(k *keyRow) *keyfmt.Stored { return &k.Value.Second },
		func(k *keyRow) *keyfmt.Digest { return &k.Value.Digest.Sum },
	),
	plain("has_previous", func(k *keyRow) *bool { return &k.hasPrevious }),
	instant("value_ms", func(k *keyRow) *time.Time { return &k.ValueMadeAt }),
	plain("disabled_by", func(k *keyRow) *string { return &k.Disabled.By }),
	instant("disabled_ms", func(k *keyRow) *time.Time { return &k.Disabled.At }),
	plain("disabled_by_right", func(k *keyRow) *bool { return &k.Disabled.Right }),
	plain("is_confined", func(k *keyRow) *bool { return &k.Confined }),
	plain("period", func(k *keyRow) *int64 { return &k.Period }),
	plain("unsettled", func(k *keyRow) *bool { return &k.Unsettled }).computed(unsettled),
)

var selectKeys = keyTable.selects

func (v *View) scanKey(r Rows) (keyRow, error) {
	k, err := keyTable.scan(r)
	if err != nil {
		return k, fmt.Errorf("key %s: %w", k.ID, err)
	}
	if k.IsActive {
		k.Disabled = apikey.Mark{}
	}
	k.Permissions, err = v.set(k.set)
	return k, err
}

func joinPrefixes(ps []netip.Prefix) string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.String()
	}
	return strings.Join(texts, " ")
}

func parsePrefixes(s string) ([]netip.Prefix, error) {
	if s == "" {
		return nil, nil
	}
	var ps []netip.Prefix
	for text := range strings.FieldsSeq(s) {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// previous is an earlier value: of which key, and the place among those of that key.
type previous struct {
	key      id.Key
	position int64
	apikey.Value
}

var previousTable = newTable("key_values", "",
	digest("digest", func(p *previous) *keyfmt.Digest { return &p.Digest.Sum }).fixed(),
	plain("key_id", func(p *previous) *id.Key { return &p.key }),
	plain("position", func(p *previous) *int64 { return &p.position }),
	plain("pepper", func(p *previous) *keyfmt.PepperID { return &p.Digest.Pepper }),
	second(
		func(p *previous) *keyfmt.Stored { return &p.Second },
		func(p *previous) *keyfmt.Digest { return &p.Digest.Sum },
	),
	plain("masked", func(p *previous) *string { return &p.Masked }),
	instant("until_ms", func(p *previous) *time.Time { return &p.Until }),
	instant("used_ms", func(p *previous) *time.Time { return &p.LastUsedAt }),
	plain("used_from", func(p *previous) *string { return &p.LastUsedFrom }),
)

var selectPrevious = previousTable.selects

func scanPrevious(r Rows) (previous, error) { return previousTable.scan(r) }

// complete adds to keys those of their earlier values that still work, or would if a provisional jump of the clock were
// taken back.
func (v *View) complete(rows []keyRow) ([]apikey.Key, error) {
	keys := make([]apikey.Key, len(rows))
	for i, row := range rows {
		keys[i] = row.Key
		if !row.hasPrevious {
			continue
		}
		found, err := all(
			v, scanPrevious, selectPrevious+` WHERE key_id = ? AND until_ms > ? ORDER BY position`, row.ID, millis(v.Floor()),
		)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			keys[i].Previous = append(keys[i].Previous, p.Value)
		}
	}
	return keys, nil
}

// Key reads a key with those of its earlier values that still work.
func (v *View) Key(k id.Key) (apikey.Key, error) {
	key, err := v.WrittenKey(k)
	if err != nil {
		return key, err
	}
	return key, v.settle(&key)
}

// WrittenKey is Key as its row has it: no settlement that is not written yet has touched it.
func (v *View) WrittenKey(k id.Key) (apikey.Key, error) {
	row, err := one(
		v, v.scanKey, selectKeys+` JOIN workspaces w ON w.id = k.workspace_id AND w.deleted_ms = 0 WHERE k.id = ?`, k,
	)
	if err != nil {
		return apikey.Key{}, err
	}
	keys, err := v.complete([]keyRow{row})
	if err != nil {
		return apikey.Key{}, err
	}
	return keys[0], nil
}

// Keys lists keys, the newest first unless another order is asked for. A page costs the same for any number of keys,
// except with Search, which reads them all.
func (v *View) Keys(f KeyFilter) ([]apikey.Key, error) {
	switch open, err := v.settling(f.Workspace); {
	case err != nil:
		return nil, err
	case open:
		return v.settledKeys(f)
	}
	return v.writtenKeys(f)
}

// writtenKeys is Keys as the rows have them.
func (v *View) writtenKeys(f KeyFilter) ([]apikey.Key, error) {
	w := v.keyWhere(f)
	order, err := f.follow(&w)
	if err != nil {
		return nil, err
	}
	rows, err := inLive(
		v,
		f.Workspace,
		v.scanKey,
		selectKeys+w.String()+order+` LIMIT ?`,
		append(w.args, limit(f.Limit))...)
	if err != nil {
		return nil, err
	}
	return v.complete(rows)
}

// keyWhere holds all conditions but those of paging.
func (v *View) keyWhere(f KeyFilter) where {
	w := v.fixed(f)
	v.movable(&w, f)
	return w
}

// movable are the conditions on columns that a settlement may change.
func (v *View) movable(w *where, f KeyFilter) {
	if f.User != "" {
		w.and(f.userColumn()+" = ?", f.User)
	}
	if f.Active != nil {
		w.and(map[bool]string{true: f.active() + " = 1", false: f.active() + " = 0"}[*f.Active])
	}
	v.standing(w, f)
	if f.Search != "" {
		wanted := strings.ToLower(f.Search)
		condition, args := v.db.driver.Contains(wanted, "k.name", "k.description", "k.user_id", v.beyondHead(wanted), "k.id")
		w.and(condition, args...)
	}
}

// beyondHead is the part of a masked value in which a text is sought: a match that lies within its head (kw_live_)
// would tell no key from any other.
func (v *View) beyondHead(wanted string) string {
	at := v.db.driver.Position("'_' || k.environment || '_'", "k.masked")
	first := fmt.Sprintf("%s + length(k.environment) + %d", at, 3-utf8.RuneCountInString(wanted))
	return "substr(k.masked, CASE WHEN " + at + " > 0 AND " + first + " > 1 THEN " + first + " ELSE 1 END)"
}

// normal is the key as it will be read again, and shares nothing with the caller's.
func normal(k apikey.Key, now time.Time) apikey.Key {
	k.Unsettled = false
	k.CreatedAt, k.UpdatedAt, k.LastUsedAt, k.ExpiresAt = whole(k.CreatedAt), whole(k.UpdatedAt), whole(k.LastUsedAt),
		whole(
			k.ExpiresAt,
		)
	k.LastTriedAt = whole(k.LastTriedAt)
	k.ValueMadeAt = whole(k.ValueMadeAt)
	k.Value.Until = time.Time{}
	k.Disabled.At = whole(k.Disabled.At)
	if k.IsActive {
		k.Disabled = apikey.Mark{}
	}
	k.AllowedIPs = append([]netip.Prefix(nil), k.AllowedIPs...)
	var working []apikey.Value
	for _, p := range k.Previous {
		p.LastUsedAt = whole(p.LastUsedAt)
		if p.Until = whole(p.Until); p.Until.After(now) {
			working = append(working, p)
		}
	}
	k.Previous = working
	return k
}

// countKeys changes the number of keys of a member, or of a user who has left.
func (tx *Tx) countKeys(ws id.Workspace, u id.User, by int) error {
	if m, found := cachedValue[account.Member](tx.View, memberID{ws, u}); found {
		m.KeyCount += int64(by)
		tx.group.put(memberID{ws, u}, m)
		if n, found := cachedValue[int64](tx.View, keysOf(ws)); found {
			tx.group.put(keysOf(ws), n+int64(by))
		}
	} else {
		delete(tx.group.cache, keysOf(ws)) // a user who never was a member has no counter
	}
	return tx.q.ExecDeferred(
		tx.ctx, `UPDATE members SET key_count = key_count + ? WHERE workspace_id = ? AND user_id = ?`, by, ws, u,
	)
}

// InsertKey adds a key. ErrDuplicate says that its digest or id is there already.
func (tx *Tx) InsertKey(k apikey.Key) error {
	k = normal(k, tx.Floor())
	if err := tx.insertKey(&k); err != nil {
		return fmt.Errorf("insert key: %w", err)
	}
	tx.changed(feed.Change{Key: &k})
	return nil
}

func (tx *Tx) insertKey(k *apikey.Key) error {
	if err := tx.alive(k.Workspace); err != nil {
		return err
	}
	set, err := tx.intern(k.Permissions, 0)
	if err != nil {
		return err
	}
	if k.Period, err = tx.period(k.Workspace, k.User); err != nil {
		return err
	}
	row := keyRow{Key: *k, set: set, hasPrevious: len(k.Previous) > 0}
	err = tx.execBeside(keyTable.insert, keyTable.inserted(&row)...)
	if err != nil {
		return err
	}
	if err := tx.insertPrevious(*k); err != nil {
		return err
	}
	return tx.countKeys(k.Workspace, k.User, +1)
}

func (tx *Tx) insertPrevious(k apikey.Key) error {
	for i, p := range k.Previous {
		row := previous{key: k.ID, position: int64(i), Value: p}
		err := tx.execBeside(previousTable.insert, previousTable.inserted(&row)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// keyBefore is the part of the replaced row that an update needs.
type keyBefore struct {
	user        id.User
	workspace   id.Workspace
	set         int64
	hasPrevious bool
	digest      []byte
}

func (tx *Tx) keyBefore(k id.Key) (keyBefore, error) {
	return one(tx.View, func(r Rows) (b keyBefore, err error) {
		err = r.Scan(&b.workspace, &b.user, &b.set, &b.hasPrevious, &b.digest)
		return b, err
	}, `SELECT k.workspace_id, k.user_id, k.set_id, k.has_previous, k.digest FROM api_keys k
		JOIN workspaces w ON w.id = k.workspace_id AND w.deleted_ms = 0 WHERE k.id = ?`, k)
}

// UpdateKey replaces the whole row and the earlier values. A key stays in its workspace: another one is ErrNotFound. No
// settlement of before touches the key any more: Key gives it as all of them have it.
func (tx *Tx) UpdateKey(k apikey.Key) error {
	k = normal(k, tx.Floor())
	if err := tx.updateKey(&k); err != nil {
		return fmt.Errorf("update key: %w", err)
	}
	tx.changed(feed.Change{Key: &k})
	return nil
}

func (tx *Tx) updateKey(k *apikey.Key) error {
	before, err := tx.keyBefore(k.ID)
	if err != nil {
		return err
	}
	if before.workspace != k.Workspace {
		return ErrNotFound
	}
	if k.Period, err = tx.period(k.Workspace, k.User); err != nil {
		return err
	}
	set, err := tx.intern(k.Permissions, before.set)
	if err != nil {
		return err
	}
	row := keyRow{Key: *k, set: set, hasPrevious: len(k.Previous) > 0}
	err = tx.execBeside(keyTable.update+` WHERE id = ?`, keyTable.changed(&row, k.ID)...)
	if err == nil && set != before.set {
		// Apart from the rest: SQLite keeps a journal of a statement that changes a foreign key, and lets go of it in a
		// time that grows with all that the transaction has written.
		err = tx.execBeside(`UPDATE api_keys SET set_id = ? WHERE id = ?`, set, k.ID)
	}
	if err != nil {
		return err
	}
	if !k.IsActive || k.Revoked || !bytes.Equal(before.digest, k.Value.Digest.Sum[:]) {
		if err := tx.wipeSealed(k.ID); err != nil {
			return err
		}
	}
	if err := tx.keyChanged(k.ID, KeyChanged); err != nil {
		return err
	}
	if before.hasPrevious {
		if err := tx.deletePrevious(k.ID); err != nil {
			return err
		}
	}
	if err := tx.insertPrevious(*k); err != nil || before.user == k.User {
		return err
	}
	if err := tx.countKeys(k.Workspace, before.user, -1); err != nil {
		return err
	}
	return tx.countKeys(k.Workspace, k.User, +1)
}

// ReplaceDigest puts another digest of the same value in the place of a key's current one, and changes nothing else of
// the key. Where the current digest is not from, it is ErrNotFound.
func (tx *Tx) ReplaceDigest(key id.Key, from keyfmt.Digest, to keyfmt.Stored) error {
	k, err := tx.WrittenKey(key) // whose settlement stays to be written
	if err != nil {
		return err
	}
	if k.Value.Digest.Sum != from {
		return ErrNotFound
	}
	k.Value.Digest = to
	err = tx.execBeside(`UPDATE api_keys SET pepper = ?, digest = ? WHERE id = ?`, to.Pepper, to.Sum[:], key)
	if err != nil {
		return fmt.Errorf("replace the digest: %w", err)
	}
	tx.changed(feed.Change{Key: &k})
	return nil
}

func (tx *Tx) deletePrevious(k id.Key) error {
	_, err := tx.q.Exec(tx.ctx, `DELETE FROM key_values WHERE key_id = ?`, k)
	return err
}

// DeleteKey removes the key and its earlier values.
func (tx *Tx) DeleteKey(k id.Key) error {
	before, err := tx.keyBefore(k)
	if err == nil {
		err = tx.deleteKey(k, &before)
	}
	if err != nil {
		return fmt.Errorf("delete key: %w", err)
	}
	tx.changed(feed.Change{KeyGone: k, In: before.workspace})
	return nil
}

func (tx *Tx) deleteKey(k id.Key, before *keyBefore) error {
	if err := tx.deletePrevious(k); err != nil {
		return err
	}
	if err := tx.wipeSealed(k); err != nil {
		return err
	}
	if err := tx.keyChanged(k, KeyDeleted); err != nil {
		return err
	}
	if err := tx.deleteRefusals(k); err != nil {
		return err
	}
	if err := tx.forget(`SELECT id FROM api_keys WHERE id = ?`, k); err != nil {
		return err
	}
	if err := tx.execBeside(`DELETE FROM api_keys WHERE id = ?`, k); err != nil {
		return err
	}
	return tx.countKeys(before.workspace, before.user, -1)
}
