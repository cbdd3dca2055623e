package verifier

import (
	"errors"
	"fmt"

	"github.com/keyward/keyward/internal/ratelimit/lease"
)

// LimitMode is how a verifier counts the minutes of keys that have a limit. Days are the server's in each of them.
type LimitMode string

// The modes.
const (
	// LimitLeased takes shares of a limit from the server, and spends them in memory.
	LimitLeased LimitMode = "leased"
	// LimitExact asks the server for each verification of a key with a limit per minute.
	LimitExact LimitMode = "exact"
	// LimitLocal counts here alone: this verifier admits the limit by itself, beside the server and all others. It needs
	// leave of the service key.
	LimitLocal LimitMode = "local"
)

// LimitPolicy decides about a key with a limit per minute while the server grants nothing, once the last units that it
// has granted are spent.
type LimitPolicy string

// The policies.
const (
	// PolicyShare admits the limit divided by the number of processes that share it.
	PolicyShare LimitPolicy = "share"
	// PolicyOpen admits everything. It needs leave of the service key.
	PolicyOpen LimitPolicy = "open"
	// PolicyClosed admits nothing.
	PolicyClosed LimitPolicy = "closed"
)

// checkLimits fills in the defaults of the mode and the policy, and says which field is wrong.
func (c *Config) checkLimits() error {
	if c.LimitMode == "" {
		c.LimitMode = LimitLeased
	}
	if _, err := lease.ParseMode(string(c.LimitMode)); err != nil {
		return fmt.Errorf("Config.LimitMode: %w", err)
	}
	if c.RefuseWhileAway {
		if c.LimitPolicy != "" && c.LimitPolicy != PolicyClosed {
			return errors.New("Config.RefuseWhileAway: give either this or Config.LimitPolicy")
		}
		c.LimitPolicy = PolicyClosed
	}
	if c.LimitPolicy == "" {
		c.LimitPolicy = PolicyShare
	}
	if _, err := lease.ParsePolicy(string(c.LimitPolicy)); err != nil {
		return fmt.Errorf("Config.LimitPolicy: %w", err)
	}
	return nil
}

// policy is the engine's word for a policy that was checked.
func (p LimitPolicy) policy() lease.Policy {
	policy, _ := lease.ParsePolicy(string(p))
	return policy
}
