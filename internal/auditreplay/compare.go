package auditreplay

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
)

// Standings holds the state of keys according to the log, to check their rows: a second way to the same facts that
// shares no code with the first.
type Standings struct {
	r    replay
	keys map[id.Key]*told
}

// told is a key as the events have it, and of which fields they speak.
type told struct {
	key    apikey.Key
	fields map[string]bool
}

// NewStandings knows no key.
func NewStandings(c *perm.Catalogue) *Standings {
	return &Standings{r: replay{catalogue: c}, keys: make(map[id.Key]*told)}
}

// Add takes in the next event.
func (s *Standings) Add(e *audit.Event) error {
	var metadata struct {
		Target id.Key  `json:"target"`
		After  members `json:"after"`
	}
	switch e.Type {
	case audit.APIKeyCreated, audit.APIKeyUpdated, audit.APIKeyRevoked, audit.APIKeyDeleted:
	default:
		return nil
	}
	if err := json.Unmarshal([]byte(e.Metadata), &metadata); err != nil {
		return fmt.Errorf("event %s: %w", e.ID, err)
	}
	if e.Type == audit.APIKeyDeleted {
		delete(s.keys, metadata.Target)
		return nil
	}
	t := s.keys[metadata.Target]
	if t == nil {
		t = &told{fields: make(map[string]bool)}
		s.keys[metadata.Target] = t
	}
	for name := range metadata.After {
		t.fields[name] = true
	}
	if err := keySetters.apply(&s.r, &t.key, metadata.After); err != nil {
		return fmt.Errorf("event %s: %w", e.ID, err)
	}
	return nil
}

// Compare lists the fields in which a row differs from the log; known is false for a key that the log does not
// mention.
func (s *Standings) Compare(k *apikey.Key) (differ []string, known bool) {
	t, known := s.keys[k.ID]
	if !known {
		return nil, false
	}
	is := &t.key
	for name, same := range map[string]bool{
		"userId":            is.User == k.User,
		"isActive":          is.IsActive == k.IsActive,
		"revoked":           is.Revoked == k.Revoked,
		"kept":              is.Orphan == k.Orphan,
		"confined":          is.Confined == k.Confined,
		"expiresAt":         is.ExpiresAt.Equal(k.ExpiresAt),
		"requestsPerMinute": is.Limits.PerMinute == k.Limits.PerMinute,
		"requestsPerDay":    is.Limits.PerDay == k.Limits.PerDay,
		"permissions":       is.Permissions == k.Permissions,
		"allowedIps":        slices.Equal(is.AllowedIPs, k.AllowedIPs),
	} {
		if !same && t.fields[name] {
			differ = append(differ, name)
		}
	}
	slices.Sort(differ)
	return differ, true
}
