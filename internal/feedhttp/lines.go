// Package feedhttp owns the feed on the wire: the lines in which changes cross it, the source's end with its long poll,
// and the follower's end, which proves how fresh an answer is. It does not own the routes and their callers (httpapi),
// the change log (store), nor the use of changes (follow).
package feedhttp

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
)

// line is one line of an answer. Exactly one of its members is set; of the first line Keys, too, and of the last one
// those of End.
type line struct {
	Settings       *Settings       `json:"settings,omitempty"`
	Keys           int64           `json:"keys,omitempty"` // about how many follow
	PermissionSet  *permissionSet  `json:"permissionSet,omitempty"`
	Workspace      *workspaceLine  `json:"workspace,omitempty"`
	Role           *roleLine       `json:"role,omitempty"`
	Member         *memberLine     `json:"member,omitempty"`
	Key            *keyLine        `json:"key,omitempty"`
	SameKey        *sameKeyLine    `json:"sameKey,omitempty"`
	ServiceKey     *serviceKeyLine `json:"serviceKey,omitempty"`
	Settlement     *settlementLine `json:"settlement,omitempty"`
	WorkspaceGone  *goneLine       `json:"workspaceGone,omitempty"`
	RoleGone       *goneLine       `json:"roleGone,omitempty"`
	MemberGone     *memberLine     `json:"memberGone,omitempty"`
	KeyGone        *goneLine       `json:"keyGone,omitempty"`
	ServiceKeyGone *goneLine       `json:"serviceKeyGone,omitempty"`
	SettlementGone *goneLine       `json:"settlementGone,omitempty"`
	*End
}

// Settings are those that a follower must share with its source.
type Settings struct {
	Catalogue []Permission `json:"catalogue"`
	// KeyPrefixes are those that keys begin with, the one of new keys first.
	KeyPrefixes []string `json:"keyPrefixes"`
	// Pepper names the pepper of new digests, "none" for plain SHA-256.
	Pepper string `json:"pepper"`
	// WorkspaceKeys are those of a reader that is told second digests: under them it looks for a value, the newest
	// first. Nil where digests are told as they are stored.
	WorkspaceKeys []WorkspaceKey `json:"workspaceKeys,omitempty"`
	// Limits says that followers spend limits themselves; nil where the source decides about each key with limits.
	Limits *LimitSettings `json:"limits,omitempty"`
	// FollowerModes is the leave of the reader's service key to admit more than the source's limits.
	FollowerModes []string `json:"followerModes,omitempty"`
	// TakesUses says that the source takes down the uses that followers count.
	TakesUses bool `json:"takesUses,omitempty"`
}

// WorkspaceKey is derived from a pepper for a workspace: HMAC-SHA-256 under it makes the digests of that workspace's
// values.
type WorkspaceKey struct {
	WorkspaceID string `json:"workspaceId"`
	Pepper      string `json:"pepper"` // names the pepper
	Key         []byte `json:"key"`
}

// LimitSettings are those of limits that followers spend.
type LimitSettings struct {
	// Policy holds while the source grants nothing: share, open or closed.
	Policy string `json:"policy"`
}

// Permission is one of a catalogue.
type Permission struct {
	Resource    string `json:"resource"`
	Action      string `json:"action"`
	Description string `json:"description,omitempty"`
}

// permissionSet gives a set a number that the lines after it in this answer name it by; 0 is the empty set.
type permissionSet struct {
	Number      int      `json:"number"`
	Permissions []string `json:"permissions"`
}

type workspaceLine struct {
	ID             string `json:"id"`
	IsActive       bool   `json:"isActive"`
	PermissionMode string `json:"permissionMode"`
	// The limits that all keys of the workspace share by its plan.
	PerMinute int64 `json:"requestsPerMinute,omitempty"`
	PerDay    int64 `json:"requestsPerDay,omitempty"`
}

type roleLine struct {
	ID            string `json:"id"`
	WorkspaceID   string `json:"workspaceId"`
	PermissionSet int    `json:"permissionSet"`
}

type memberLine struct {
	WorkspaceID string `json:"workspaceId"`
	UserID      string `json:"userId"`
	RoleID      string `json:"roleId,omitempty"`
}

type keyLine struct {
	ID            string          `json:"id"`
	WorkspaceID   string          `json:"workspaceId"`
	UserID        string          `json:"userId"`
	Environment   string          `json:"environment"`
	Digest        []byte          `json:"digest"`
	Second        string          `json:"secondDigest,omitempty"` // with the name of its pepper
	PermissionSet int             `json:"permissionSet"`
	IsActive      bool            `json:"isActive"`
	IsRevoked     bool            `json:"isRevoked,omitempty"`
	IsOrphan      bool            `json:"isOrphan,omitempty"`
	Period        int64           `json:"period,omitempty"`
	PerMinute     int64           `json:"requestsPerMinute,omitempty"`
	PerDay        int64           `json:"requestsPerDay,omitempty"`
	AllowedIPs    []netip.Prefix  `json:"allowedIps,omitempty"`
	ExpiresAt     *instant        `json:"expiresAt,omitempty"`
	Previous      []previousLine  `json:"previous,omitempty"`
	Name          string          `json:"name,omitempty"`
	Metadata      json.RawMessage `json:"metadata,omitempty"`
}

type previousLine struct {
	Digest []byte  `json:"digest"`
	Second string  `json:"secondDigest,omitempty"`
	Until  instant `json:"until"`
}

type serviceKeyLine struct {
	ID     string   `json:"id"`
	Digest []byte   `json:"digest"`
	Second string   `json:"secondDigest,omitempty"`
	Scopes []string `json:"scopes"`
	// An absent list stands for everything, and an empty one for nothing.
	WorkspaceIDs []string       `json:"workspaceIds,omitzero"`
	Environments []string       `json:"environments,omitzero"`
	AllowedIPs   []netip.Prefix `json:"allowedIps,omitzero"`
	ExpiresAt    *instant       `json:"expiresAt,omitempty"`

	FollowerModes []string `json:"followerModes,omitempty"`
}

type settlementLine struct {
	ID            string     `json:"id"`
	WorkspaceID   string     `json:"workspaceId"`
	UserID        string     `json:"userId"`
	Period        int64      `json:"period"`
	Kind          string     `json:"kind"`
	Heir          string     `json:"heir,omitempty"`
	PermissionSet int        `json:"permissionSet,omitempty"`
	Bound         *boundLine `json:"bound,omitempty"`
	By            string     `json:"by"`
	At            instant    `json:"at"`
	IsDone        bool       `json:"isDone,omitempty"`
}

type boundLine struct {
	ExpiresAt  *instant       `json:"expiresAt,omitempty"`
	PerMinute  int64          `json:"requestsPerMinute,omitempty"`
	PerDay     int64          `json:"requestsPerDay,omitempty"`
	AllowedIPs []netip.Prefix `json:"allowedIps,omitzero"`
}

type goneLine struct {
	ID          string `json:"id"`
	WorkspaceID string `json:"workspaceId,omitempty"` // that it was in, where that is known
}

// End is the last line of an answer. Without it the answer is not whole, and nothing of it counts.
type End struct {
	Cursor string  `json:"cursor"`
	Nonce  string  `json:"nonce"` // that of the question
	More   bool    `json:"more"`
	HeldMS int64   `json:"heldMs"`
	AgeMS  int64   `json:"ageMs"`
	Now    instant `json:"now"` // the source's clock
	// HasForeignKeys says that there are keys which the feed does not tell of: a value that the reader does not know is
	// to be asked about. KeysToAsk is about how many they are.
	HasForeignKeys bool  `json:"hasForeignKeys"`
	KeysToAsk      int64 `json:"keysToAsk,omitempty"`
}

// instant is a time in UTC with milliseconds.
type instant struct{ time.Time }

const instantForm = "2006-01-02T15:04:05.000Z"

// MarshalJSON writes RFC 3339.
func (t instant) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"`+instantForm+`"`), nil
}

func at(t time.Time) *instant {
	if t.IsZero() {
		return nil
	}
	return &instant{t}
}

func (t *instant) time() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// writer turns changes into lines, and leaves out all that a reader must not know.
type writer struct {
	catalogue *perm.Catalogue
	question  *Question
	as        digests
	untold    int64 // keys that were left out, or were told without an earlier value
	sets      map[perm.Set]int
	emit      func(*line) error

	// a key and its line, which are used again for each
	usual line
	one   keyLine

	short bool // keys may be told by a sameKeyLine
	same  sameKeyLine
	base  keyLine // of the last whole line of a key
	based bool    // there was one, which others may be like
}

func newWriter(c *perm.Catalogue, q *Question, as digests, emit func(*line) error) *writer {
	return &writer{catalogue: c, question: q, as: as, sets: map[perm.Set]int{{}: 0}, emit: emit}
}

// set gives the number of a set, which is told before it is used.
func (w *writer) set(s perm.Set) (int, error) {
	number, known := w.sets[s]
	if known {
		return number, nil
	}
	number = len(w.sets)
	w.sets[s] = number
	return number, w.emit(&line{PermissionSet: &permissionSet{Number: number, Permissions: w.catalogue.Names(s)}})
}

func (w *writer) write(c feed.Change) error {
	if !w.question.concerns(&c) {
		return nil
	}
	switch {
	case c.Workspace != nil:
		shared := c.Workspace.Plan.Shared
		return w.emit(&line{Workspace: &workspaceLine{string(c.Workspace.ID), c.Workspace.IsActive,
			string(c.Workspace.Settings.PermissionMode), shared.PerMinute, shared.PerDay}})
	case c.Role != nil:
		number, err := w.set(c.Role.Permissions)
		if err != nil {
			return err
		}
		return w.emit(&line{Role: &roleLine{string(c.Role.ID), string(c.Role.Workspace), number}})
	case c.Member != nil:
		return w.emit(&line{Member: &memberLine{string(c.Member.Workspace), string(c.Member.User), string(c.Member.Role)}})
	case c.Key != nil:
		return w.key(c.Key, c.Revision)
	case c.ServiceKey != nil:
		return w.serviceKey(c.ServiceKey, c.Revision)
	case c.Settlement != nil:
		return w.settlement(c.Settlement)
	}
	return w.emit(goneAs(&c))
}

func goneAs(c *feed.Change) *line {
	gone := func(name string) *goneLine { return &goneLine{name, string(c.In)} }
	switch {
	case c.WorkspaceGone != "":
		return &line{WorkspaceGone: gone(string(c.WorkspaceGone))}
	case c.RoleGone != "":
		return &line{RoleGone: gone(string(c.RoleGone))}
	case c.MemberGone != nil:
		return &line{MemberGone: &memberLine{WorkspaceID: string(c.MemberGone.Workspace), UserID: string(c.MemberGone.User)}}
	case c.KeyGone != "":
		return &line{KeyGone: gone(string(c.KeyGone))}
	case c.SettlementGone != "":
		return &line{SettlementGone: gone(string(c.SettlementGone))}
	}
	return &line{ServiceKeyGone: gone(string(c.ServiceKeyGone))}
}

// key leaves out values of which the reader is told no digest.
func (w *writer) key(k *apikey.Key, revision int64) error {
	sum, ok := w.as.of(&k.Value.Digest, &k.Value.Second)
	if !ok {
		w.untold++
		if revision == 0 {
			return nil
		}
		return w.emit(&line{KeyGone: &goneLine{string(k.ID), string(k.Workspace)}})
	}
	number, err := w.set(k.Permissions)
	if err != nil {
		return err
	}
	l := &w.one
	*l = keyLine{
		ID: string(k.ID), WorkspaceID: string(k.Workspace), UserID: string(k.User), Environment: string(k.Environment),
		Digest: sum, Second: w.second(&k.Value.Second), PermissionSet: number, IsActive: k.IsActive, IsRevoked: k.Revoked,
		IsOrphan: k.Orphan,
		Period:   k.Period, PerMinute: k.Limits.PerMinute, PerDay: k.Limits.PerDay, AllowedIPs: k.AllowedIPs,
		ExpiresAt: at(k.ExpiresAt), Previous: l.Previous[:0],
	}
	for i := range k.Previous {
		p := &k.Previous[i]
		if sum, ok := w.as.of(&p.Digest, &p.Second); ok {
			l.Previous = append(l.Previous, previousLine{sum, w.second(&p.Second), instant{p.Until}})
		} else {
			w.untold = max(w.untold, 1)
		}
	}
	if w.question.Name {
		l.Name = k.Name
	}
	if w.question.Metadata && k.Metadata != "" {
		l.Metadata = json.RawMessage(k.Metadata)
	}
	w.usual = w.lineOf(l)
	return w.emit(&w.usual)
}

// second gives a second digest as text, where the reader wants them.
func (w *writer) second(s *keyfmt.Stored) string {
	if !w.question.Second || w.as != stored {
		return ""
	}
	return s.Text()
}

func (w *writer) serviceKey(k *account.ServiceKey, revision int64) error {
	sum, ok := w.as.of(&k.Digest, &k.Second)
	if !ok {
		if revision == 0 {
			return nil
		}
		return w.emit(&line{ServiceKeyGone: &goneLine{ID: string(k.ID)}})
	}
	l := &serviceKeyLine{
		ID: string(k.ID), Digest: sum, Second: w.second(&k.Second), AllowedIPs: k.Bounds.AllowedIPs,
		ExpiresAt: at(k.ExpiresAt),
	}
	for _, s := range k.Scopes {
		if mayAsk(s) {
			l.Scopes = append(l.Scopes, string(s))
		}
	}
	l.WorkspaceIDs = renamed[string](k.Bounds.Workspaces)
	l.Environments = renamed[string](k.Bounds.Environments)
	l.FollowerModes = renamed[string](k.FollowerModes)
	return w.emit(&line{ServiceKey: l})
}

// renamed is a list with its elements as another kind of text. A list that is empty but not nil stays so.
func renamed[To, From ~string](list []From) []To {
	if list == nil {
		return nil
	}
	out := make([]To, len(list))
	for i, one := range list {
		out[i] = To(one)
	}
	return out
}

func (w *writer) settlement(s *apikey.Settlement) error {
	number, err := w.set(s.Ceiling)
	if err != nil {
		return err
	}
	l := &settlementLine{
		ID: string(s.ID), WorkspaceID: string(s.Workspace), UserID: string(s.User), Period: s.Period, Kind: string(s.Kind),
		Heir: string(s.Heir), PermissionSet: number, By: s.By, At: instant{s.At}, IsDone: s.Done,
	}
	if b := s.Bound; b != nil {
		l.Bound = &boundLine{at(b.ExpiresAt), b.Limits.PerMinute, b.Limits.PerDay, b.AllowedIPs}
	}
	return w.emit(&line{Settlement: l})
}

// reader turns lines into changes.
type reader struct {
	catalogue *perm.Catalogue
	sets      map[int]perm.Set
	keys      keyLines
	usual     line   // the line of a key that keys has read, or that was put together
	user      string // that a key which names none is of: of the last whole line of a key
	based     bool   // there was one, which others may be like
	// again is the key of each change, where the one that is told of it does not keep it; nil makes new ones
	again *apikey.Key
}

func newReader(c *perm.Catalogue) *reader {
	return &reader{catalogue: c, sets: map[int]perm.Set{0: {}}, usual: line{Key: &keyLine{}}}
}

// learn takes the number of a set. A permission that the catalogue does not have was never in it.
func (r *reader) learn(s *permissionSet) error {
	set, unknown, ok := r.catalogue.Set(s.Permissions)
	if !ok {
		return fmt.Errorf("the permission %q is in no catalogue that the source has told of", s.Permissions[unknown])
	}
	r.sets[s.Number] = set
	return nil
}

func (r *reader) set(number int) (perm.Set, error) {
	s, ok := r.sets[number]
	if !ok {
		return s, fmt.Errorf("the permission set %d was not told before", number)
	}
	return s, nil
}

// readValue reads the digests of a value into v, which has none.
func readValue(v *apikey.Value, sum []byte, second string) (err error) {
	if len(sum) != len(v.Digest.Sum) {
		return fmt.Errorf("a digest of %d bytes", len(sum))
	}
	v.Digest.Sum = keyfmt.Digest(sum)
	if second != "" {
		v.Second, err = keyfmt.ParseStored(second)
	}
	return err
}

// change reads a line; ok is false for one that is no change.
func (r *reader) change(l *line) (c feed.Change, ok bool, err error) {
	switch {
	case l.Workspace != nil:
		w := l.Workspace
		c.Workspace = &account.Workspace{ID: id.Workspace(w.ID), IsActive: w.IsActive,
			Settings: account.Settings{PermissionMode: account.PermissionMode(w.PermissionMode)},
			Plan:     account.Plan{Shared: ratelimit.Limits{PerMinute: w.PerMinute, PerDay: w.PerDay}}}
	case l.Role != nil:
		set, err := r.set(l.Role.PermissionSet)
		c.Role = &account.Role{ID: id.Role(l.Role.ID), Workspace: id.Workspace(l.Role.WorkspaceID), Permissions: set}
		return c, true, err
	case l.Member != nil:
		m := l.Member
		c.Member = &account.Member{Workspace: id.Workspace(m.WorkspaceID), User: id.User(m.UserID), Role: id.Role(m.RoleID)}
	case l.Key != nil:
		c.Key, err = r.key(l.Key)
	case l.ServiceKey != nil:
		c.ServiceKey, err = readServiceKey(l.ServiceKey)
	case l.Settlement != nil:
		c.Settlement, err = r.settlement(l.Settlement)
	default:
		return goneIn(l)
	}
	return c, true, err
}

func goneIn(l *line) (c feed.Change, ok bool, err error) {
	in := func(l *goneLine) id.Workspace { return id.Workspace(l.WorkspaceID) }
	switch {
	case l.WorkspaceGone != nil:
		c.WorkspaceGone = id.Workspace(l.WorkspaceGone.ID)
	case l.RoleGone != nil:
		c.RoleGone, c.In = id.Role(l.RoleGone.ID), in(l.RoleGone)
	case l.MemberGone != nil:
		c.MemberGone = &feed.MemberID{Workspace: id.Workspace(l.MemberGone.WorkspaceID), User: id.User(l.MemberGone.UserID)}
	case l.KeyGone != nil:
		c.KeyGone, c.In = id.Key(l.KeyGone.ID), in(l.KeyGone)
	case l.ServiceKeyGone != nil:
		c.ServiceKeyGone, c.In = id.ServiceKey(l.ServiceKeyGone.ID), in(l.ServiceKeyGone)
	case l.SettlementGone != nil:
		c.SettlementGone, c.In = id.Settlement(l.SettlementGone.ID), in(l.SettlementGone)
	default:
		return c, false, nil
	}
	return c, true, nil
}

func (r *reader) key(l *keyLine) (k *apikey.Key, err error) {
	if k = r.again; k == nil {
		k = new(apikey.Key)
	} else {
		*k = apikey.Key{}
	}
	// one by one, because a key is large and most of it stays empty
	k.ID = id.Key(l.ID)
	k.Workspace = id.Workspace(l.WorkspaceID)
	k.User = id.User(l.UserID)
	k.Environment = keyfmt.Environment(l.Environment)
	k.IsActive = l.IsActive
	k.Revoked = l.IsRevoked
	k.Orphan = l.IsOrphan
	k.Period = l.Period
	k.Limits = ratelimit.Limits{PerMinute: l.PerMinute, PerDay: l.PerDay}
	k.AllowedIPs = l.AllowedIPs
	k.ExpiresAt = l.ExpiresAt.time()
	k.Name = l.Name
	k.Metadata = string(l.Metadata)
	if err = readValue(&k.Value, l.Digest, l.Second); err != nil {
		return nil, err
	}
	if k.Permissions, err = r.set(l.PermissionSet); err != nil {
		return nil, err
	}
	for i := range l.Previous {
		p := &l.Previous[i]
		value := apikey.Value{Until: p.Until.time()}
		if err = readValue(&value, p.Digest, p.Second); err != nil {
			return nil, err
		}
		k.Previous = append(k.Previous, value)
	}
	return k, nil
}

func readServiceKey(l *serviceKeyLine) (*account.ServiceKey, error) {
	var value apikey.Value
	err := readValue(&value, l.Digest, l.Second)
	k := &account.ServiceKey{
		ID: id.ServiceKey(l.ID), Digest: value.Digest, Second: value.Second, ExpiresAt: l.ExpiresAt.time(),
	}
	k.Scopes = renamed[account.Scope](l.Scopes)
	k.Bounds.Workspaces = renamed[id.Workspace](l.WorkspaceIDs)
	k.Bounds.Environments = renamed[keyfmt.Environment](l.Environments)
	k.Bounds.AllowedIPs = l.AllowedIPs
	k.FollowerModes = renamed[account.FollowerMode](l.FollowerModes)
	return k, err
}

func (r *reader) settlement(l *settlementLine) (*apikey.Settlement, error) {
	set, err := r.set(l.PermissionSet)
	s := &apikey.Settlement{
		ID: id.Settlement(l.ID), Workspace: id.Workspace(l.WorkspaceID), User: id.User(l.UserID), Period: l.Period,
		Kind: apikey.SettlementKind(l.Kind), Heir: id.User(l.Heir), Ceiling: set, By: l.By, At: l.At.time(), Done: l.IsDone,
	}
	if b := l.Bound; b != nil {
		s.Bound = &account.Bound{
			ExpiresAt: b.ExpiresAt.time(), Limits: ratelimit.Limits{PerMinute: b.PerMinute, PerDay: b.PerDay},
			AllowedIPs: b.AllowedIPs,
		}
	}
	return s, err
}

// base64url writes cursors.
var base64url = base64.RawURLEncoding
