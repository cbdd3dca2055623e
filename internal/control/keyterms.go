package control

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit"
)

// keyTerms is all that a request for a key asks for. Nothing in it is left to a default, so that the key that is
// confirmed is the key that was shown.
type keyTerms struct {
	Name        string          `json:"name,omitzero"`
	Environment string          `json:"environment,omitzero"`
	Permissions []string        `json:"permissions,omitzero"`
	ExpiresAt   string          `json:"expiresAt,omitzero"` // "" for never
	PerMinute   int64           `json:"perMinute,omitzero"`
	PerDay      int64           `json:"perDay,omitzero"`
	Description string          `json:"description,omitzero"`
	Metadata    json.RawMessage `json:"metadata,omitzero"`
	AllowedIPs  []string        `json:"allowedIps,omitzero"`

	OverlapSeconds int64 `json:"overlapSeconds,omitzero"` // of a rotation, as the next
	MadeAt         int64 `json:"madeAt,omitzero"`         // when the value to replace was made, in Unix milliseconds
}

// overtaken reports whether a key got another value since its rotation was asked for.
func (t *keyTerms) overtaken(k *apikey.Key) bool { return k.Made().UnixMilli() != t.MadeAt }

func (s *Service) termsOf(k *apikey.Key) keyTerms {
	t := keyTerms{
		Name: k.Name, Environment: string(k.Environment), Permissions: s.cat.Names(k.Permissions),
		PerMinute: k.Limits.PerMinute, PerDay: k.Limits.PerDay, Description: k.Description,
		Metadata: json.RawMessage(orEmpty(k.Metadata)), AllowedIPs: prefixes(k.AllowedIPs),
	}
	if !k.ExpiresAt.IsZero() {
		t.ExpiresAt = k.ExpiresAt.UTC().Format(time.RFC3339Nano)
	}
	return t
}

func (t *keyTerms) environment() keyfmt.Environment { return keyfmt.Environment(t.Environment) }

// creation is the request as a creation that names every field.
func (t *keyTerms) creation(r *apikey.Request) CreateKey {
	limit := func(n int64) Optional[int64] { return Optional[int64]{Set: true, Null: n == 0, Value: n} }
	return CreateKey{
		Workspace: string(r.Workspace), User: string(r.User), Name: t.Name,
		Permissions: Some(t.Permissions), Environment: Some(t.Environment),
		ExpiresAt:   Optional[string]{Set: true, Null: t.ExpiresAt == "", Value: t.ExpiresAt},
		RateLimit:   Some(LimitsInput{PerMinute: limit(t.PerMinute), PerDay: limit(t.PerDay)}),
		Description: Some(t.Description), Metadata: Some(t.Metadata), AllowedIPs: Some(t.AllowedIPs),
	}
}

// fillTerms brings the terms into a key that is shown before it is there.
func (s *Service) fillTerms(k *apikey.Key, t *keyTerms) (err error) {
	k.Name, k.Environment, k.Description = t.Name, t.environment(), t.Description
	k.Permissions = s.cat.Known(t.Permissions)
	k.Limits = ratelimit.Limits{PerMinute: t.PerMinute, PerDay: t.PerDay}
	if string(t.Metadata) != "{}" {
		k.Metadata = string(t.Metadata)
	}
	if t.ExpiresAt != "" {
		if k.ExpiresAt, err = time.Parse(time.RFC3339Nano, t.ExpiresAt); err != nil {
			return fmt.Errorf("terms of a request for a key: %w", err)
		}
	}
	for _, text := range t.AllowedIPs {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("terms of a request for a key: %w", err)
		}
		k.AllowedIPs = append(k.AllowedIPs, p)
	}
	return nil
}

func termsFrom(text string) (t keyTerms, err error) {
	if err = json.Unmarshal([]byte(text), &t); err != nil {
		err = fmt.Errorf("terms of a request for a key: %w", err)
	}
	return t, err
}

// asker is the credential by which a request was made, and its place: who it was is asked again as the request is
// confirmed, by the same value. It holds digests alone.
type asker struct {
	ServiceKey id.ServiceKey `json:"serviceKey,omitzero"`
	APIKey     id.Key        `json:"apiKey,omitzero"`
	Workspace  id.Workspace  `json:"workspace,omitzero"`
	User       id.User       `json:"user,omitzero"`
	Session    id.Session    `json:"session,omitzero"`
	Token      string        `json:"token,omitzero"`
	Presented  []byte        `json:"presented,omitzero"`
	Rehashed   []byte        `json:"rehashed,omitzero"`
	Until      time.Time     `json:"until,omitzero"`
	Address    string        `json:"address,omitzero"`
}

func askerOf(c Caller) asker {
	out := asker{
		ServiceKey: c.ServiceKey, APIKey: c.APIKey, Workspace: c.Person.Workspace, User: c.Person.User,
		Session: c.Session, Token: c.Token, Presented: c.Presented[:], Until: c.Until, Address: c.Address,
	}
	if c.Rehashed != (keyfmt.Digest{}) {
		out.Rehashed = c.Rehashed[:]
	}
	return out
}

func askerFrom(text string) (Caller, error) {
	var in asker
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return Caller{}, fmt.Errorf("asker of a request for a key: %w", err)
	}
	c := Caller{
		ServiceKey: in.ServiceKey, APIKey: in.APIKey, Person: Person{Workspace: in.Workspace, User: in.User},
		Session: in.Session, Token: in.Token, Until: in.Until, Address: in.Address,
	}
	copy(c.Presented[:], in.Presented)
	copy(c.Rehashed[:], in.Rehashed)
	return c, nil
}

func textOf(v any) (string, error) {
	raw, err := jsonText(v)
	if err != nil {
		return "", fmt.Errorf("write a request for a key: %w", err)
	}
	return string(raw), nil
}

// overlapInput holds the overlap of a rotation against its bounds.
func overlapInput(field string, seconds int64) error {
	if seconds < 0 || seconds > int64(apikey.MaxOverlap/time.Second) {
		return fault.Invalid(field, "must be between 0 and %d", int64(apikey.MaxOverlap/time.Second))
	}
	return nil
}
