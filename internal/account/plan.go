package account

// Plan holds the quotas that an operator sets for a workspace. A quota of 0 is none. A quota refuses new objects, and
// never a change that takes something away.
type Plan struct {
	MaxKeys         int64 // that are there, whether they work or not
	MaxMembers      int64
	MaxRoles        int64 // beside the system roles
	MaxEventsPerDay int64 // in a UTC day
}
