package control

import (
	"slices"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/store"
)

// keyField says of a field of a key whether a change of it lets the key do more than a moment ago. widens is nil for a
// field that says nothing of what a key may do.
type keyField struct {
	name   string // in apikey.Key
	widens func(was, now *apikey.Key) bool
}

// keyReach classifies every field of a key; a test fails for a field that is not here.
var keyReach = []keyField{
	{"ID", func(was, now *apikey.Key) bool { return was.ID != now.ID }},
	{"Workspace", func(was, now *apikey.Key) bool { return was.Workspace != now.Workspace }},
	{"User", func(was, now *apikey.Key) bool { return was.User != now.User }}, // somebody else holds it then
	{"Name", nil},
	{"Environment", func(was, now *apikey.Key) bool { return was.Environment != now.Environment }},
	{"IsActive", func(was, now *apikey.Key) bool { return !was.IsActive && now.IsActive }},
	{"Revoked", func(was, now *apikey.Key) bool { return was.Revoked && !now.Revoked }},
	{"Disabled", func(was, now *apikey.Key) bool {
		return !was.IsActive && !now.IsActive && was.Disabled.Strong() && !now.Disabled.Strong()
	}},
	{"Orphan", nil}, // a key that is kept worked while its creator was a member, and does no more than that
	{"Confined", func(was, now *apikey.Key) bool { return was.Confined && !now.Confined }},
	{"Permissions", func(was, now *apikey.Key) bool { return !now.Permissions.Within(was.Permissions) }},
	{"Limits", func(was, now *apikey.Key) bool {
		return !ratelimit.Within(now.Limits.PerMinute, was.Limits.PerMinute) ||
			!ratelimit.Within(now.Limits.PerDay, was.Limits.PerDay)
	}},
	{"AllowedIPs", func(was, now *apikey.Key) bool { return !account.AddressesWithin(now.AllowedIPs, was.AllowedIPs) }},
	{"Description", nil},
	{"Metadata", nil}, // the platform's own words, of which nothing here depends
	{"CreatedAt", nil},
	{"Period", nil}, // the store's own, as the next
	{"Unsettled", nil},
	{"ValueMadeAt", nil}, // bounds what an expiry may be; the expiry says how long the key works
	{"UpdatedAt", nil},
	{"LastUsedAt", nil},
	{"LastTriedAt", nil},
	{"ExpiresAt", func(was, now *apikey.Key) bool { return outlives(now.ExpiresAt, was.ExpiresAt) }},
	{"Value", func(was, now *apikey.Key) bool { return was.Value.Digest != now.Value.Digest }}, // rotating reveals a value
	{"Previous", func(was, now *apikey.Key) bool {
		return slices.ContainsFunc(now.Previous, func(p apikey.Value) bool { return !answered(was, p) })
	}},
}

// outlives tells whether an expiry is later than another; a zero time is "never".
func outlives(t, than time.Time) bool { return !(&account.Bound{ExpiresAt: than}).Expiry(t) }

// answered tells whether a key answered to a value before, and as long as that.
func answered(was *apikey.Key, p apikey.Value) bool {
	if was.Value.Digest == p.Digest {
		return true
	}
	return slices.ContainsFunc(
		was.Previous, func(w apikey.Value) bool { return w.Digest == p.Digest && !p.Until.After(w.Until) },
	)
}

// widened names the fields of a key by whose change it may do more than a moment ago.
func widened(was, now *apikey.Key) (names []string) {
	for _, f := range keyReach {
		if f.widens != nil && f.widens(was, now) {
			names = append(names, f.name)
		}
	}
	return names
}

// mayWiden is the one rule for every change after which a key may do more than a moment ago: it is a grant. All that
// the key holds must then lie within the caller, and where that is an API key or a portal session, all that it reaches
// within the caller's own bounds or the session's ceiling. Narrowing is free.
func (s *Service) mayWiden(a *actor, was, now *apikey.Key) error {
	if len(widened(was, now)) == 0 {
		return nil
	}
	if err := s.mayGrant(a, now.Permissions, now.Permissions, whole); err != nil {
		return err
	}
	return a.reaches(now, now.Made())
}

// mayLive holds the expiry of a key against its workspace's settings wherever a value begins to work, works again
// or gets another expiry. Settings that came later do not end a value that works; they bound what it may come to
// from then on.
func mayLive(v *store.View, was, now *apikey.Key) error {
	again := now.IsActive && !was.IsActive
	if !again && now.ExpiresAt.Equal(was.ExpiresAt) && now.Value.Digest == was.Value.Digest {
		return nil
	}
	ws, err := v.Workspace(now.Workspace)
	if err != nil {
		return err
	}
	return lifetime(now.ExpiresAt, ws.Settings, now.Made())
}

// changeKey is the one way in which a key that there is changes: what was allowed by mayWiden, with the event that
// tells of it.
func (s *Service) changeKey(tx *store.Tx, a *actor, was, now *apikey.Key, told change) error {
	if err := mayLive(tx.View, was, now); err != nil {
		return err
	}
	if err := s.mayWiden(a, was, now); err != nil {
		return err
	}
	if err := underCeiling(tx.View, was, now); err != nil {
		return err
	}
	if err := s.settleFirst(tx, was); err != nil {
		return err
	}
	now.UpdatedAt = tx.Now()
	if err := tx.UpdateKey(*now); err != nil {
		return err
	}
	told.workspace, told.target = now.Workspace, string(now.ID)
	told.free = told.free || takesAway(was, now, told.kind)
	return s.record(tx, a, told)
}

// takesAway tells whether a key may do less than a moment ago in any way. A rotation does where no earlier value goes
// on working.
func takesAway(was, now *apikey.Key, kind audit.Type) bool {
	if kind == audit.APIKeyRotated {
		return len(now.Previous) == 0
	}
	return len(widened(now, was)) > 0
}

// mark says that the actor disables a key: by right of api-keys:manage-others where it is not their own.
func (a *actor) mark(k *apikey.Key, at time.Time) apikey.Mark {
	return apikey.Mark{By: a.id(), At: at, Right: a.service != nil || a.user != k.User}
}
