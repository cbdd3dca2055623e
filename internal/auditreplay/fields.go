package auditreplay

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
)

// setters hold, for each field of an object that the log shows, the function that repeats it; nil marks a field that
// the restored database cannot have, or that grants no right. An unlisted field is from a newer program: then nothing
// is repeated, because the field might have narrowed a key.
type setters[T any] map[string]func(r *replay, t *T, raw json.RawMessage) error

// set makes a setter of one that reads a value.
func set[T, V any](to func(t *T) *V) func(*replay, *T, json.RawMessage) error {
	return func(_ *replay, t *T, raw json.RawMessage) error {
		var zero V
		*to(t) = zero // null is none
		return json.Unmarshal(raw, to(t))
	}
}

// seconds and bounds are null for none, which is 0 here.
func duration[T any](to func(t *T) *time.Duration) func(*replay, *T, json.RawMessage) error {
	return func(_ *replay, t *T, raw json.RawMessage) error {
		var n int64
		err := json.Unmarshal(raw, &n)
		*to(t) = time.Duration(n) * time.Second
		return err
	}
}

func selfRotation(_ *replay, w *account.Workspace, raw json.RawMessage) error {
	var word string
	if err := json.Unmarshal(raw, &word); err != nil {
		return err
	}
	if !w.Settings.SetSelfRotation(word) {
		return fmt.Errorf("%w: the word %q is not known", ErrNewer, word)
	}
	return nil
}

func permissions[T any](to func(t *T) *perm.Set) func(*replay, *T, json.RawMessage) error {
	return func(r *replay, t *T, raw json.RawMessage) error {
		var names []string
		err := json.Unmarshal(raw, &names)
		*to(t) = r.catalogue.Known(names)
		return err
	}
}

var keySetters = setters[apikey.Key]{
	"name":              set(func(k *apikey.Key) *string { return &k.Name }),
	"userId":            set(func(k *apikey.Key) *id.User { return &k.User }),
	"isActive":          set(func(k *apikey.Key) *bool { return &k.IsActive }),
	"revoked":           set(func(k *apikey.Key) *bool { return &k.Revoked }),
	"kept":              set(func(k *apikey.Key) *bool { return &k.Orphan }),
	"confined":          set(func(k *apikey.Key) *bool { return &k.Confined }),
	"expiresAt":         set(func(k *apikey.Key) *time.Time { return &k.ExpiresAt }),
	"requestsPerMinute": set(func(k *apikey.Key) *int64 { return &k.Limits.PerMinute }),
	"requestsPerDay":    set(func(k *apikey.Key) *int64 { return &k.Limits.PerDay }),
	"description":       set(func(k *apikey.Key) *string { return &k.Description }),
	"permissions":       permissions(func(k *apikey.Key) *perm.Set { return &k.Permissions }),
	"allowedIps": func(_ *replay, k *apikey.Key, raw json.RawMessage) error {
		var nets []netip.Prefix
		err := json.Unmarshal(raw, &nets)
		k.AllowedIPs = nets
		return err
	},
	"metadata": func(_ *replay, k *apikey.Key, raw json.RawMessage) error {
		k.Metadata = string(raw)
		return nil
	},
	"disabledBy":             set(func(k *apikey.Key) *string { return &k.Disabled.By }),
	"disabledAt":             set(func(k *apikey.Key) *time.Time { return &k.Disabled.At }),
	"disabledByManageOthers": set(func(k *apikey.Key) *bool { return &k.Disabled.Right }),
	// the masks of the earlier values that are left
	"previousKeys": func(_ *replay, k *apikey.Key, raw json.RawMessage) error {
		var left []string
		err := json.Unmarshal(raw, &left)
		k.Previous = slices.DeleteFunc(
			slices.Clone(k.Previous), func(v apikey.Value) bool { return !slices.Contains(left, v.Masked) },
		)
		return err
	},
	"environment": nil, // never changes
	"key":         nil, // the mask of a value that the log does not hold
}

var memberSetters = setters[account.Member]{
	"email":       set(func(m *account.Member) *string { return &m.Email }),
	"displayName": set(func(m *account.Member) *string { return &m.DisplayName }),
	"roleId":      set(func(m *account.Member) *id.Role { return &m.Role }),
	"roleName":    nil, // the role's own
}

var roleSetters = setters[account.Role]{
	"name":        set(func(r *account.Role) *string { return &r.Name }),
	"description": set(func(r *account.Role) *string { return &r.Description }),
	"permissions": permissions(func(r *account.Role) *perm.Set { return &r.Permissions }),
}

var workspaceSetters = setters[account.Workspace]{
	"name":                    set(func(w *account.Workspace) *string { return &w.Name }),
	"isActive":                set(func(w *account.Workspace) *bool { return &w.IsActive }),
	"ownerId":                 set(func(w *account.Workspace) *id.User { return &w.OwnerID }),
	"switchedOffBy":           set(func(w *account.Workspace) *string { return &w.Off.By }),
	"switchedOffAt":           set(func(w *account.Workspace) *time.Time { return &w.Off.At }),
	"switchedOffByServiceKey": set(func(w *account.Workspace) *bool { return &w.Off.Operator }),
	"permissionMode": set(
		func(w *account.Workspace) *account.PermissionMode { return &w.Settings.PermissionMode },
	),
	"requireExpiry":            set(func(w *account.Workspace) *bool { return &w.Settings.RequireExpiry }),
	"selfRotation":             selfRotation,
	"maxKeys":                  set(func(w *account.Workspace) *int64 { return &w.Plan.MaxKeys }),
	"maxMembers":               set(func(w *account.Workspace) *int64 { return &w.Plan.MaxMembers }),
	"maxRoles":                 set(func(w *account.Workspace) *int64 { return &w.Plan.MaxRoles }),
	"maxEventsPerDay":          set(func(w *account.Workspace) *int64 { return &w.Plan.MaxEventsPerDay }),
	"requestsPerMinute":        set(func(w *account.Workspace) *int64 { return &w.Plan.Shared.PerMinute }),
	"requestsPerDay":           set(func(w *account.Workspace) *int64 { return &w.Plan.Shared.PerDay }),
	"ceilingRequestsPerMinute": set(func(w *account.Workspace) *int64 { return &w.Plan.Ceiling.Limits.PerMinute }),
	"ceilingRequestsPerDay":    set(func(w *account.Workspace) *int64 { return &w.Plan.Ceiling.Limits.PerDay }),
	"ceilingMaxLifetimeSeconds": duration(func(w *account.Workspace) *time.Duration {
		return &w.Plan.Ceiling.MaxLifetime
	}),
	"maxKeyLifetimeSeconds":    duration(func(w *account.Workspace) *time.Duration { return &w.Settings.MaxKeyLifetime }),
	"defaultRequestsPerMinute": set(func(w *account.Workspace) *int64 { return &w.Settings.DefaultRateLimit.PerMinute }),
	"defaultRequestsPerDay":    set(func(w *account.Workspace) *int64 { return &w.Settings.DefaultRateLimit.PerDay }),
}

// apply repeats the log's state of an object.
func (s setters[T]) apply(r *replay, t *T, after members) error {
	for name, raw := range after {
		to, known := s[name]
		switch {
		case !known:
			return fmt.Errorf("%w: the field %q is not known", ErrNewer, name)
		case to == nil:
			continue
		}
		if err := to(r, t, raw); err != nil {
			return fmt.Errorf("the field %q: %w", name, err)
		}
	}
	return nil
}
