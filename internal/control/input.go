package control

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/strictjson"
	"github.com/keyward/keyward/internal/text"
)

const (
	maxKeyName       = 255
	maxWorkspaceName = 100
	maxRoleName      = 60
	maxDescription   = 500
	maxDisplayName   = 200
	maxYear          = 2261 // the last whole year that 64 bits of nanoseconds can hold
)

// noCredential refuses a text that holds a whole credential: it would be kept, shown and exported for as long as the
// object is.
func noCredential(field, s string) error {
	if session.Leaks(s) {
		return fault.Invalid(field, "holds a credential: it must not be kept in plain text")
	}
	return nil
}

func nameInput(field, s string, max int) (string, error) {
	out, err := text.Name(s, max)
	if err != nil {
		return "", fault.Invalid(field, "%v", err)
	}
	return out, noCredential(field, out)
}

// lineInput reads an optional text: null and "" are both "none".
func lineInput(field string, o Optional[string], max int) (string, error) {
	out, err := text.Line(o.Value, max)
	if err != nil {
		return "", fault.Invalid(field, "%v", err)
	}
	return out, noCredential(field, out)
}

func emailInput(field, s string) (string, error) {
	out, err := text.Email(s)
	if err != nil {
		return "", fault.Invalid(field, "%v", err)
	}
	return out, noCredential(field, out)
}

func userInput(field, s string) (id.User, error) {
	if err := id.CheckUser(s); err != nil {
		return "", fault.Invalid(field, "%v", err)
	}
	return id.User(s), noCredential(field, s)
}

var ()

// expiryInput reads an instant in the future: ISO 8601 with an offset, or a date alone for its midnight in UTC.
// Fractions of a millisecond are cut off, so that a key never lives longer than was asked for.
func expiryInput(field string, o Optional[string], now time.Time) (time.Time, error) {
	if !o.Set || o.Null {
		return time.Time{}, nil
	}
	t, err := parseInstant(o.Value)
	if err != nil || t.Year() > maxYear {
		return time.Time{}, fault.Invalid(
			field, "want a time such as 2027-01-31T08:00:00Z, or a date such as 2027-01-31, up to the year %d", maxYear,
		)
	}
	if !t.After(now) {
		return time.Time{}, fault.Invalid(field, "must lie in the future")
	}
	return t, nil
}

func parseInstant(s string) (time.Time, error) {
	t, err := text.Instant(s)
	return t.Truncate(time.Millisecond), err
}

// limitInput reads one limit; an absent one stays as it was, null is no limit.
func limitInput(field string, o Optional[int64], was int64) (int64, error) {
	if !o.Set {
		return was, nil
	}
	if o.Null {
		return 0, nil
	}
	if err := ratelimit.Check(o.Value); err != nil {
		return 0, fault.Invalid(field, "%v", err)
	}
	return o.Value, nil
}

// limitsInput reads both limits under the field; null clears both.
func limitsInput(field string, o Optional[LimitsInput], was ratelimit.Limits) (ratelimit.Limits, error) {
	if !o.Set {
		return was, nil
	}
	if o.Null {
		return ratelimit.Limits{}, nil
	}
	minute, badMinute := limitInput(field+".requestsPerMinute", o.Value.PerMinute, was.PerMinute)
	day, badDay := limitInput(field+".requestsPerDay", o.Value.PerDay, was.PerDay)
	return ratelimit.Limits{PerMinute: minute, PerDay: day}, fault.All(badMinute, badDay)
}

// metadataInput reads a JSON object of at most 4 KiB in compact form.
func metadataInput(field string, o Optional[json.RawMessage]) (string, error) {
	if !o.Set || o.Null {
		return "", nil
	}
	raw, err := strictjson.Plain(o.Value)
	if err != nil || len(raw) == 0 || raw[0] != '{' {
		return "", fault.Invalid(field, "must be an object")
	}
	if len(raw) > apikey.MaxMetadata {
		return "", fault.Invalid(field, "is longer than %d bytes", apikey.MaxMetadata)
	}
	if string(raw) == "{}" {
		return "", nil
	}
	if err := metadataWithoutCredential(field, raw); err != nil {
		return "", err
	}
	return string(raw), nil
}

// metadataWithoutCredential looks at the strings and names of the object as readers see them, without escapes.
func metadataWithoutCredential(field string, raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	for {
		t, err := d.Token()
		if err != nil {
			return nil // the end; the text was read before
		}
		if s, ok := t.(string); ok {
			if err := noCredential(field, s); err != nil {
				return err
			}
		}
	}
}

// addressesInput reads networks in CIDR form; a bare address is a network of one.
func addressesInput(field string, o Optional[[]string]) ([]netip.Prefix, error) {
	if len(o.Value) > apikey.MaxAllowedIPs {
		return nil, fault.Invalid(field, "holds more than %d networks", apikey.MaxAllowedIPs)
	}
	var out []netip.Prefix
	for i, s := range o.Value {
		p, err := parsePrefix(s)
		if err != nil {
			return nil, fault.Invalid(indexed(field, i), "want a network such as 203.0.113.0/24 or 2001:db8::/32")
		}
		if m := p.Masked(); m != p {
			return nil, fault.Invalid(indexed(field, i), "has bits set behind its length; did you mean %s?", m)
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err == nil && p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, fault.New(fault.InvalidRequest, "mixes IPv4 and IPv6")
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p, err
}

// permissionsInput reads names of the catalogue; field names the i-th of them.
func (s *Service) permissionsInput(field string, names []string) (perm.Set, error) {
	set, at, ok := s.cat.Set(names)
	if !ok {
		return set, fault.Invalid(indexed(field, at), "%q is not in the catalogue", clip(names[at], 100))
	}
	return set, nil
}

// settingsInput applies the given fields to the settings as they were.
func settingsInput(o Optional[SettingsInput], was account.Settings) (account.Settings, error) {
	if !o.Set || o.Null {
		return was, nil
	}
	in, out := o.Value, was
	var mode, limits, longest, rotation error
	if in.PermissionMode.Set {
		out.PermissionMode = account.PermissionMode(in.PermissionMode.Value)
		if out.PermissionMode != account.Frozen && out.PermissionMode != account.Capped {
			mode = fault.Invalid("settings.permissionMode", "must be frozen or capped")
		}
	}
	out.DefaultRateLimit, limits = limitsInput("settings.defaultRateLimit", in.DefaultRateLimit, was.DefaultRateLimit)
	if in.MaxKeyLifetimeSeconds.Set {
		const most = 100 * 366 * 24 * 3600
		n := in.MaxKeyLifetimeSeconds.Value
		if !in.MaxKeyLifetimeSeconds.Null && (n < 1 || n > most) {
			longest = fault.Invalid("settings.maxKeyLifetimeSeconds", "must be between 1 and %d", most)
		}
		out.MaxKeyLifetime = time.Duration(n) * time.Second
	}
	if in.RequireExpiry.Set {
		out.RequireExpiry = in.RequireExpiry.Value
	}
	if in.SelfRotation.Set && !out.SetSelfRotation(in.SelfRotation.Value) {
		rotation = fault.Invalid("settings.selfRotation", "must be allowed or forbidden")
	}
	if err := fault.All(mode, limits, longest, rotation); err != nil {
		return was, err
	}
	return out, nil
}
