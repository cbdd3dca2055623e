package control

import (
	"context"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/store"
)

// PlanInput is a plan as given; null, or nothing, is no quota.
type PlanInput struct {
	MaxKeys         Optional[int64]
	MaxMembers      Optional[int64]
	MaxRoles        Optional[int64]
	MaxEventsPerDay Optional[int64]
	PerMinute       Optional[int64] // of all keys together, as the next
	PerDay          Optional[int64]
	Ceiling         Optional[CeilingInput]
}

// CeilingInput is what a single key may have at most, as given; null, or nothing, is no ceiling.
type CeilingInput struct {
	PerMinute          Optional[int64]
	PerDay             Optional[int64]
	MaxLifetimeSeconds Optional[int64]
}

// PutPlan replaces the plan of a workspace. It needs a service key that may manage: a workspace does not choose its
// own quotas. A quota below the existing number refuses only new objects.
func (s *Service) PutPlan(ctx context.Context, c Caller, workspace string, in PlanInput) (account.Workspace, error) {
	var out account.Workspace
	err := s.update(ctx, c.in(workspace), func(tx *store.Tx, a *actor) error {
		was, err := s.resolveWorkspace(tx.View, a, workspace)
		if err != nil {
			return err
		}
		if a.service == nil {
			return scopeDenied(account.ScopeManage)
		}
		if err := a.wholly(account.WorkspaceSettingsWrite); err != nil {
			return err
		}
		ws := was
		if ws.Plan, err = planInput(in); err != nil {
			return err
		}
		if out = was; ws.Plan == was.Plan {
			return nil
		}
		ws.UpdatedAt = tx.Now()
		out = ws
		if err := tx.PutWorkspace(ws); err != nil {
			return err
		}
		return s.record(tx, a, change{kind: audit.WorkspaceUpdated, workspace: ws.ID, target: string(ws.ID), free: true,
			sentence: fmt.Sprintf("plan of workspace %s set", quoted(ws.Name)), before: workspaceFields(was),
			after: workspaceFields(ws)})
	})
	return out, err
}

func planInput(in PlanInput) (p account.Plan, err error) {
	ceiling := in.Ceiling.Value
	if in.Ceiling.Set && !in.Ceiling.Null && ceiling == (CeilingInput{}) {
		return p, fault.Invalid("ceilingPerKey", "names no ceiling: give one, or null")
	}
	var lifetime int64
	var wrong []error
	for _, one := range []struct {
		field string
		given Optional[int64]
		to    *int64
	}{
		{"maxKeys", in.MaxKeys, &p.MaxKeys}, {"maxMembers", in.MaxMembers, &p.MaxMembers},
		{"maxRoles", in.MaxRoles, &p.MaxRoles},
		{"maxEventsPerDay", in.MaxEventsPerDay, &p.MaxEventsPerDay},
		{"requestsPerMinute", in.PerMinute, &p.Shared.PerMinute}, {"requestsPerDay", in.PerDay, &p.Shared.PerDay},
		{"ceilingPerKey.requestsPerMinute", ceiling.PerMinute, &p.Ceiling.Limits.PerMinute},
		{"ceilingPerKey.requestsPerDay", ceiling.PerDay, &p.Ceiling.Limits.PerDay},
		{"ceilingPerKey.maxLifetimeSeconds", ceiling.MaxLifetimeSeconds, &lifetime},
	} {
		if !one.given.Set || one.given.Null {
			continue
		}
		if n := one.given.Value; n < 1 || n > ratelimit.Max {
			wrong = append(
				wrong, fault.Invalid(one.field, "must be between 1 and %d, or null for no quota", int64(ratelimit.Max)),
			)
		}
		*one.to = one.given.Value
	}
	p.Ceiling.MaxLifetime = time.Duration(lifetime) * time.Second
	return p, fault.All(wrong...)
}

// underCeiling refuses a key that is new, or has become wider, where the plan allows a single key less: in the fields
// that have become wider. was is nil for a new key. What a key has already it keeps.
func underCeiling(v *store.View, was, now *apikey.Key) error {
	ws, err := v.Workspace(now.Workspace)
	if err != nil || ws.Plan.Ceiling == (account.Ceiling{}) {
		return err
	}
	c, made := ws.Plan.Ceiling, now.Made()
	var wrong []error
	for _, one := range []struct {
		field, allows string
		within, wider bool
	}{
		{"requestsPerMinute", fmt.Sprintf("at most %d requests a minute of one key", c.Limits.PerMinute),
			ratelimit.Within(now.Limits.PerMinute, c.Limits.PerMinute),
			was == nil || !ratelimit.Within(now.Limits.PerMinute, was.Limits.PerMinute)},
		{"requestsPerDay", fmt.Sprintf("at most %d requests a day of one key", c.Limits.PerDay),
			ratelimit.Within(now.Limits.PerDay, c.Limits.PerDay),
			was == nil || !ratelimit.Within(now.Limits.PerDay, was.Limits.PerDay)},
		{"maxLifetimeSeconds", fmt.Sprintf("keys that last at most %d seconds", int64(c.MaxLifetime/time.Second)),
			c.Allows(now.ExpiresAt, made), was == nil || outlives(now.ExpiresAt, was.ExpiresAt)},
	} {
		if one.wider && !one.within {
			wrong = append(wrong, overQuota("ceilingPerKey."+one.field, one.allows))
		}
	}
	return fault.All(wrong...)
}

// room refuses one object more than the plan allows. It runs once the change is made, by count.
func room(quota int64, field, things string, count func() (int64, error)) error {
	if quota == 0 {
		return nil
	}
	n, err := count()
	if err != nil || n <= quota {
		return err
	}
	return overQuota(field, fmt.Sprintf("at most %d %s", quota, things))
}

func overQuota(field, allows string) error {
	return fault.New(fault.LimitReached, "the plan of this workspace allows "+allows,
		fault.Detail{Field: field, Message: "allows " + allows})
}

// hold is what the plan of a workspace holds a kind of event to.
type hold struct {
	refused bool // where the day's events are spent, unless the change takes something away (change.free)
	things  func(*store.Tx, account.Workspace) error
}

var (
	changes   = hold{refused: true} // may give something
	takes     = hold{}              // takes something away: no quota refuses it
	unplanned = hold{}              // is of the installation or of signing in, and of no workspace's plan
)

// planned says of every kind of event what the plan holds it to; a test holds that none is missing.
var planned = map[audit.Type]hold{
	audit.APIKeyCreated: {refused: true, things: roomForKeys},
	audit.MemberAdded: {refused: true, things: func(tx *store.Tx, ws account.Workspace) error {
		return room(ws.Plan.MaxMembers, "maxMembers", "members", func() (int64, error) { return tx.MemberTotal(ws.ID) })
	}},
	audit.MemberRestored: {refused: true, things: func(tx *store.Tx, ws account.Workspace) error {
		return room(ws.Plan.MaxMembers, "maxMembers", "members", func() (int64, error) { return tx.MemberTotal(ws.ID) })
	}},
	audit.RoleCreated: {refused: true, things: func(tx *store.Tx, ws account.Workspace) error {
		return room(ws.Plan.MaxRoles, "maxRoles", "roles of its own", func() (int64, error) { return tx.RoleTotal(ws.ID) })
	}},
	audit.APIKeyUpdated: changes, audit.APIKeyRotated: changes, audit.MemberUpdated: changes, audit.RoleUpdated: changes,
	audit.WorkspaceUpdated: changes,
	audit.MemberInvited:    changes,
	audit.APIKeyRequested:  {refused: true, things: roomForKeys},

	audit.APIKeyDeleted: takes, audit.APIKeyRevoked: takes, audit.MemberRemoved: takes, audit.RoleDeleted: takes,
	audit.WorkspaceDeleted:  takes,
	audit.MemberSignInReset: takes, audit.APIKeyDeclined: takes,

	audit.WorkspaceCreated: unplanned, audit.ServiceKeyCreated: unplanned, audit.ServiceKeyUpdated: unplanned,
	audit.ServiceKeyDeleted: unplanned, audit.SessionStarted: unplanned,
	audit.SessionEnded: unplanned, audit.SignInLinkCreated: unplanned, audit.TimeReset: unplanned,
	audit.LogArchived:  unplanned,
	audit.PasskeyAdded: unplanned, audit.PasskeyRemoved: unplanned, audit.PasskeyRefused: unplanned,
	audit.WebhookCreated: changes, audit.WebhookUpdated: changes, audit.WebhookRotated: changes,
	audit.WebhookTested:   changes,
	audit.WebhookReplayed: changes, audit.WebhookDeleted: takes, audit.WebhookDisabled: takes,
	audit.PortalSessionCreated: unplanned, audit.PortalSessionStarted: unplanned, audit.PortalSessionEnded: unplanned,
}

// roomForKeys counts the keys that are there, and those that wait to be confirmed.
func roomForKeys(tx *store.Tx, ws account.Workspace) error {
	return room(ws.Plan.MaxKeys, "maxKeys", "API keys", func() (int64, error) {
		waiting, err := tx.RequestedKeyTotal(ws.ID)
		if err != nil {
			return 0, err
		}
		there, err := tx.KeyTotal(ws.ID, "")
		return there + waiting, err
	})
}

// withinPlan refuses a change, which has been made and is about to be recorded, that the plan of its workspace has no
// room for.
func (s *Service) withinPlan(tx *store.Tx, c change) error {
	held := planned[c.kind]
	if !held.refused || c.free || c.workspace == "" {
		return nil
	}
	ws, err := tx.Workspace(c.workspace)
	if err != nil || ws.Plan == (account.Plan{}) {
		return err
	}
	if held.things != nil {
		if err := held.things(tx, ws); err != nil {
			return err
		}
	}
	return eventRoom(tx, ws.ID, ws.Plan.MaxEventsPerDay)
}

func eventRoom(tx *store.Tx, ws id.Workspace, quota int64) error {
	if quota == 0 {
		return nil
	}
	spent, err := tx.EventsToday(ws)
	if err != nil || spent < quota {
		return err
	}
	return overQuota("maxEventsPerDay", fmt.Sprintf("at most %d changes a day (UTC)", quota))
}

// narrowed tells whether a change of a workspace takes something away: all but another name may.
func narrowed(was, ws account.Workspace) bool {
	was.Name, was.UpdatedAt = ws.Name, ws.UpdatedAt
	return was != ws
}
