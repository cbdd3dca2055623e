package redislimit

import "github.com/keyward/keyward/internal/ratelimit/lease"

// Mode says how nodes share the minutes of keys.
type Mode = lease.Mode

// The modes.
const (
	Leased = lease.Leased
	Exact  = lease.Exact
	Local  = lease.Local
)

// Policy decides about a key with a minute limit while Redis cannot be asked.
type Policy = lease.Policy

// The policies.
const (
	Share  = lease.Share
	Open   = lease.Open
	Closed = lease.Closed
)
