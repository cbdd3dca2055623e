package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// CreateKey makes a key whose permissions are a frozen subset of the current permissions of its creator and of the
// caller. The value is in this answer alone. Faults: invalid_request, permission_denied, permission_escalation,
// not_found, conflict.
func (s *Service) CreateKey(ctx context.Context, c Caller, in CreateKey) (Revealed, error) {
	var out Revealed
	err := s.update(ctx, c.in(in.Workspace).through(session.KeysCreate), func(tx *store.Tx, a *actor) error {
		ws, _, err := s.mayCreate(tx.View, a, in)
		if err != nil {
			return err
		}
		// A repetition is answered even where the same request would be refused by now.
		out, err = s.once(tx, a, once{Idempotency: in.Once, workspace: ws.ID, asked: in}, func() (Revealed, error) {
			d, err := s.draft(tx.View, a, in)
			if err != nil {
				return Revealed{}, err
			}
			if err := roomBelow(tx.View, a, ws.ID, d.User); err != nil {
				return Revealed{}, err
			}
			return s.mint(tx, a, d)
		})
		return err
	})
	return out, err
}

// mayCreate finds the workspace and the creator of a key that the caller may make.
func (s *Service) mayCreate(v *store.View, a *actor, in CreateKey) (ws account.Workspace, user id.User, err error) {
	if ws, err = s.resolveWorkspace(v, a, in.Workspace); err != nil {
		return ws, user, err
	}
	if err := s.need(a, account.APIKeysWrite); err != nil {
		return ws, user, err
	}
	if a.portal != nil {
		return ws, a.user, a.ownKey(in.User)
	}
	if user, err = userInput("userId", in.User); err != nil {
		return ws, user, err
	}
	return ws, user, s.needFor(a, user, account.APIKeysWrite)
}

// draft takes a creation through the contract's rules, in their order, and gives the key it comes to, without a value.
func (s *Service) draft(v *store.View, a *actor, in CreateKey) (draft, error) {
	ws, user, err := s.mayCreate(v, a, in)
	if err != nil {
		return draft{}, err
	}
	m, err := v.Member(ws.ID, user)
	if err != nil {
		return draft{}, err
	}
	role, err := v.Role(ws.ID, m.Role)
	if err != nil {
		return draft{}, err
	}
	d := draft{creator: Creator{ID: user, Email: m.Email, DisplayName: m.DisplayName}}
	d.Workspace, d.User, d.IsActive = ws.ID, user, true
	fields, terms := s.fill(&d, in, role.Permissions), s.bind(&d, in, ws, a, v.Now())
	if err := fault.All(fields, terms); err != nil {
		return draft{}, err
	}
	if !a.reach.Environment(d.Environment) {
		return draft{}, outside("environment")
	}
	d.Confined = a.confines()
	if err := s.mayGrant(a, d.Permissions, role.Permissions, wantedField(in.Permissions)); err != nil {
		return draft{}, err
	}
	return d, a.reaches(&d.Key, v.Now())
}

// draft is a key to be made.
type draft struct {
	apikey.Key
	creator Creator
}

// fill reads the fields that depend on no other object.
func (s *Service) fill(d *draft, in CreateKey, creator perm.Set) error {
	var name, permissions, environment, description, metadata error
	d.Name, name = nameInput("name", in.Name, maxKeyName)
	d.Permissions = creator
	if in.Permissions.Set {
		d.Permissions, permissions = s.permissionsInput("permissions", in.Permissions.Value)
	}
	d.Environment = keyfmt.Live
	if in.Environment.Set {
		d.Environment = keyfmt.Environment(in.Environment.Value)
	}
	if d.Environment != keyfmt.Live && d.Environment != keyfmt.Test {
		environment = fault.Invalid("environment", "must be live or test")
	}
	d.Description, description = lineInput("description", in.Description, maxDescription)
	d.Metadata, metadata = metadataInput("metadata", in.Metadata)
	return fault.All(name, permissions, environment, description, metadata)
}

// bind reads expiry, limits and addresses: the given ones, else the calling key's own, else the workspace's defaults as
// far as its plan allows them to a key, within the ceiling of a portal session.
func (s *Service) bind(d *draft, in CreateKey, ws account.Workspace, a *actor, now time.Time) error {
	set, ceiling := ws.Settings, ws.Plan.Ceiling
	var expiry, limits, addresses error
	b := a.bound
	d.ExpiresAt, expiry = expiryInput("expiresAt", in.ExpiresAt, now)
	if !in.ExpiresAt.Set {
		if b != nil {
			d.ExpiresAt = b.ExpiresAt
		}
		if longest := a.latest(set, now); !longest.IsZero() && (d.ExpiresAt.IsZero() || d.ExpiresAt.After(longest)) {
			d.ExpiresAt = longest
		}
		if !ceiling.Allows(d.ExpiresAt, now) {
			d.ExpiresAt = now.Add(ceiling.MaxLifetime)
		}
	}
	if expiry == nil {
		expiry = lifetime(d.ExpiresAt, set, now)
	}
	d.Limits, limits = limitsInput("rateLimit", in.RateLimit, ceiling.Lower(a.defaultLimits(set)))
	if !in.AllowedIPs.Set && b != nil {
		d.AllowedIPs = b.AllowedIPs
	} else {
		d.AllowedIPs, addresses = addressesInput("allowedIps", in.AllowedIPs)
	}
	return fault.All(expiry, limits, addresses)
}

func defaultLimits(set account.Settings, b *account.Bound) ratelimit.Limits {
	out := set.DefaultRateLimit
	if b != nil && b.Limits.PerMinute != 0 {
		out.PerMinute = b.Limits.PerMinute
	}
	if b != nil && b.Limits.PerDay != 0 {
		out.PerDay = b.Limits.PerDay
	}
	return out
}

// latest is the last expiry that the workspace's settings allow a value that was made then; zero if any.
func latest(set account.Settings, made time.Time) time.Time {
	if set.MaxKeyLifetime == 0 {
		return time.Time{}
	}
	return made.Add(set.MaxKeyLifetime)
}

// lifetime holds an expiry against the workspace's settings. made is when the value was made.
func lifetime(expires time.Time, set account.Settings, made time.Time) error {
	longest := latest(set, made)
	switch {
	case expires.IsZero() && (set.RequireExpiry || !longest.IsZero()):
		return fault.Invalid("expiresAt", "the workspace requires an expiry")
	case !longest.IsZero() && expires.After(longest):
		return fault.Invalid(
			"expiresAt", "the workspace allows a lifetime of at most %d seconds from the making of the value",
			int64(set.MaxKeyLifetime/time.Second),
		)
	}
	return nil
}

// withinBound refuses a key that would reach further than the key that calls.
func withinBound(k *apikey.Key, b *account.Bound) error {
	f := fault.New(fault.PermissionEscalation, "a key cannot make or reveal one that reaches further than itself")
	add := func(ok bool, field, message string) {
		if !ok {
			f.Details = append(f.Details, fault.Detail{Field: field, Message: message})
		}
	}
	add(b.Expiry(k.ExpiresAt), "expiresAt", "lies beyond the calling key's expiry")
	add(b.PerMinute(k.Limits.PerMinute), "rateLimit.requestsPerMinute", "lies beyond the calling key's limit")
	add(b.PerDay(k.Limits.PerDay), "rateLimit.requestsPerDay", "lies beyond the calling key's limit")
	add(b.Addresses(k.AllowedIPs), "allowedIps", "reach beyond the calling key's networks")
	if f.Details == nil {
		return nil
	}
	return f
}

// wantedField names a permission of a request by its place in it.
func wantedField(o Optional[[]string]) func(string) string {
	return func(name string) string {
		if i := slices.Index(o.Value, name); i >= 0 {
			return indexed("permissions", i)
		}
		return "permissions"
	}
}

// value is the stored form of a new value.
func (s *Service) value(ws id.Workspace, secret keyfmt.Secret) apikey.Value {
	return apikey.Value{
		Digest: s.digester.Store(secret), Second: s.digester.Second(string(ws), secret.Reveal()),
		Masked: s.format.Mask(secret),
	}
}

// mint gives the draft an id and a value, keeps it, and records it.
func (s *Service) mint(tx *store.Tx, a *actor, d draft) (Revealed, error) {
	secret, err := s.format.Mint(s.rand, d.Environment)
	if err != nil {
		return Revealed{}, fmt.Errorf("mint: %w", err)
	}
	d.Value = s.value(d.Workspace, secret)
	if err := s.insert(tx, a, &d, nil); err != nil {
		return Revealed{}, err
	}
	return Revealed{Key: Key{Key: d.Key, Creator: d.creator}, Secret: secret}, nil
}

// insert keeps a finished draft under a new id, with its event.
func (s *Service) insert(tx *store.Tx, a *actor, d *draft, note fields) error {
	if d.ID == "" { // a key that was asked for has its id already
		d.ID = id.Key(s.ids.Next())
	}
	d.CreatedAt, d.UpdatedAt = tx.Now(), tx.Now()
	if err := underCeiling(tx.View, nil, &d.Key); err != nil {
		return err
	}
	if err := tx.InsertKey(d.Key); err != nil {
		return err
	}
	return s.record(tx, a, change{
		kind: audit.APIKeyCreated, workspace: d.Workspace, target: string(d.ID),
		sentence: fmt.Sprintf("API key %s created for %s", quoted(d.Name), d.User), after: s.keyFields(&d.Key),
		note: a.confirmation(note),
	})
}

// keyFields shows a key in an event: each field that an operation can change, so that an update which changes none of
// them has changed nothing. A rotation shows its own.
func (s *Service) keyFields(k *apikey.Key) fields {
	return fields{
		"name": k.Name, "userId": string(k.User), "isActive": k.IsActive, "environment": string(k.Environment),
		"expiresAt": stamp(k.ExpiresAt), "requestsPerMinute": bounded(k.Limits.PerMinute),
		"requestsPerDay": bounded(k.Limits.PerDay), "revoked": k.Revoked, "kept": k.Orphan, "confined": k.Confined,
		"description": k.Description, "metadata": json.RawMessage(orEmpty(k.Metadata)), "allowedIps": prefixes(k.AllowedIPs),
		"permissions": s.cat.Names(k.Permissions), "key": k.Value.Masked, "disabledBy": orNull(k.Disabled.By),
		"disabledAt": stamp(k.Disabled.At), "disabledByManageOthers": k.Disabled.Right,
	}
}

// orNull is a text as an event shows it: null where there is none.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func orEmpty(metadata string) string {
	if metadata == "" {
		return "{}"
	}
	return metadata
}

func prefixes(ps []netip.Prefix) []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.String()
	}
	return out
}
