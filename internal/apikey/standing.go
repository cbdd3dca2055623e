package apikey

import "time"

// Standing selects keys by how they stand at an instant.
type Standing string

// The standings. All but AnyStanding select enabled keys alone.
const (
	AnyStanding Standing = ""
	Working     Standing = "working"  // not expired
	Expiring    Standing = "expiring" // within ExpiringSoon from now
	Expired     Standing = "expired"
	Unused      Standing = "unused" // neither used nor made within UnusedFor
	Orphaned    Standing = "orphaned"
)

// The bounds of "soon" and of "long".
const (
	ExpiringSoon = 14 * 24 * time.Hour
	UnusedFor    = 90 * 24 * time.Hour
)

// Order is the order of a list of keys.
type Order string

// The orders. ByExpiry and ByLeastUse list enabled keys alone, and ByExpiry only those that expire.
const (
	NewestFirst Order = ""
	OldestFirst Order = "oldest"
	ByExpiry    Order = "expiry" // what expires first in front
	ByLastUse   Order = "used"   // what was used last in front
	ByLeastUse  Order = "idle"   // what was never used, or not for the longest time, in front

	// These list all keys. A key that never expires is beyond every expiry; one that was never used, or tried, is
	// before every use.
	ExpiresUp   Order = "expiresAt asc"
	ExpiresDown Order = "expiresAt desc"
	UsedUp      Order = "lastUsedAt asc"
	UsedDown    Order = "lastUsedAt desc"
	TriedUp     Order = "lastTriedAt asc"
	TriedDown   Order = "lastTriedAt desc"
)
