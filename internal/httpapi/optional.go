package httpapi

import (
	"encoding/json"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/strictjson"
	"github.com/keyward/keyward/internal/wire"
)

// given hands a member that may be left out to the control plane.
func given[T any](o strictjson.Optional[T]) control.Optional[T] {
	return control.Optional[T]{Set: o.Set, Value: o.Value}
}

// clearable hands a member that may also be null to the control plane.
func clearable[T any](n strictjson.Nullable[T]) control.Optional[T] {
	return control.Optional[T]{Set: n.Set, Null: n.Null, Value: n.Value}
}

func idText(i wire.ID) string { return string(i) }

func idsGiven(n strictjson.Nullable[[]wire.ID]) control.Optional[[]string] {
	return control.Optional[[]string]{Set: n.Set, Null: n.Null, Value: mapped(n.Value, idText)}
}

func limitsGiven(n strictjson.Nullable[wire.RateLimitInput]) control.Optional[control.LimitsInput] {
	return control.Optional[control.LimitsInput]{Set: n.Set, Null: n.Null, Value: control.LimitsInput{
		PerMinute: clearable(n.Value.RequestsPerMinute), PerDay: clearable(n.Value.RequestsPerDay),
	}}
}

func settingsGiven(o strictjson.Optional[wire.SettingsInput]) control.Optional[control.SettingsInput] {
	return control.Optional[control.SettingsInput]{Set: o.Set, Value: control.SettingsInput{
		PermissionMode:        given(o.Value.PermissionMode),
		DefaultRateLimit:      limitsGiven(o.Value.DefaultRateLimit),
		MaxKeyLifetimeSeconds: clearable(o.Value.MaxKeyLifetimeSeconds),
		RequireExpiry:         given(o.Value.RequireExpiry),
		SelfRotation:          given(o.Value.SelfRotation),
	}}
}

func rawObject(n strictjson.Nullable[strictjson.Object]) control.Optional[json.RawMessage] {
	return control.Optional[json.RawMessage]{Set: n.Set, Null: n.Null, Value: json.RawMessage(n.Value)}
}

func pagination(p control.Page) wire.Pagination {
	return wire.Pagination{Limit: p.Limit, NextCursor: wire.TextOrNull(p.NextCursor), HasNext: p.NextCursor != ""}
}

// mapped shows each item; never nil.
func mapped[A, B any](items []A, show func(A) B) []B {
	out := make([]B, len(items))
	for i := range items {
		out[i] = show(items[i])
	}
	return out
}

// listed is never nil, so that a list is never null on the wire.
func listed(items []string) []string {
	if items == nil {
		return []string{}
	}
	return items
}
