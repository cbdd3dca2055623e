package httpapi

import (
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/wire"
)

// listParameters are those of the list of keys.
var listParameters = append(
	[]string{"workspaceId", "userId", "isActive", "status", "environment", "permission", "expiringBefore", "unusedSince",
		"triedSince", "search", "sortBy", "sortOrder", "counts"},
	paging...)

func (a *api) listKeys(x *exchange) (out wire.APIKeyList, err error) {
	in, err := x.query.listKeys()
	if err != nil {
		return out, err
	}
	counted, err := x.query.flag("counts")
	if err != nil {
		return out, err
	}
	keys, page, err := a.Control.ListKeys(x.ctx(), x.caller, in)
	if err != nil {
		return out, err
	}
	out = wire.APIKeyList{APIKeys: mapped(keys, a.apiKey), Pagination: pagination(page)}
	if counted != nil && *counted {
		out.Counts, err = a.keyCounts(x, in)
	}
	return out, err
}

func (a *api) keyCounts(x *exchange, in control.ListKeys) (*wire.KeysCounts, error) {
	n, err := a.Control.CountKeys(x.ctx(), x.caller, in)
	return &wire.KeysCounts{Total: countOrNull(n.Total), Active: countOrNull(n.Active), Expiring: countOrNull(n.Expiring),
		Expired: countOrNull(n.Expired), Disabled: countOrNull(n.Disabled)}, err
}

// countOrNull is a number, or null where it was not counted.
func countOrNull(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

// listKeys reads the conditions and the order of a list of keys.
func (q query) listKeys() (in control.ListKeys, err error) {
	for _, one := range []struct {
		to   *string
		name string
	}{{&in.Workspace, "workspaceId"}, {&in.User, "userId"}, {&in.Permission, "permission"}} {
		if *one.to, err = q.word(one.name); err != nil {
			return in, err
		}
	}
	if in.Active, err = q.flag("isActive"); err != nil {
		return in, err
	}
	environment, err := q.oneOf("environment", string(keyfmt.Live), string(keyfmt.Test))
	if err != nil {
		return in, err
	}
	in.Environment = keyfmt.Environment(environment)
	for _, one := range []struct {
		to   *time.Time
		name string
	}{{&in.ExpiringBefore, "expiringBefore"}, {&in.UnusedSince, "unusedSince"}, {&in.TriedSince, "triedSince"}} {
		if *one.to, err = q.instant(one.name); err != nil {
			return in, err
		}
	}
	if err = q.status(&in); err != nil {
		return in, err
	}
	if in.Order, err = q.keyOrder(); err != nil {
		return in, err
	}
	if in.Search, err = q.search(); err != nil {
		return in, err
	}
	in.Paging, err = q.paging()
	return in, err
}

// status reads the status that keys of a list have. A disabled key is also one that is not active, so that the two
// parameters together select nothing where they contradict each other.
func (q query) status(in *control.ListKeys) error {
	status, err := q.oneOf("status", "active", "expiring", "expired", "disabled")
	if err != nil || status == "" {
		return err
	}
	if status == "disabled" {
		in.Disabled = true
		return nil
	}
	in.Standing = map[string]apikey.Standing{
		"active": apikey.Working, "expiring": apikey.Expiring, "expired": apikey.Expired,
	}[status]
	in.Along = true
	return nil
}

var keyOrders = map[string]apikey.Order{
	"createdAt asc": apikey.OldestFirst, "createdAt desc": apikey.NewestFirst, "expiresAt asc": apikey.ExpiresUp,
	"expiresAt desc": apikey.ExpiresDown,
	"lastUsedAt asc": apikey.UsedUp, "lastUsedAt desc": apikey.UsedDown, "lastTriedAt asc": apikey.TriedUp,
	"lastTriedAt desc": apikey.TriedDown,
}

// keyOrder reads the order of a list of keys.
func (q query) keyOrder() (apikey.Order, error) {
	by, err := q.oneOf("sortBy", "createdAt", "expiresAt", "lastUsedAt", "lastTriedAt")
	if err != nil {
		return "", err
	}
	order, err := q.oneOf("sortOrder", "asc", "desc")
	if err != nil {
		return "", err
	}
	if by == "" {
		by = "createdAt"
	}
	if order == "" {
		order = "desc"
	}
	return keyOrders[by+" "+order], nil
}
