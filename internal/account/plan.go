package account

// Plan is what an operator allows a workspace. A quota of 0 is none. A quota refuses what is new, and never what takes something away.
type Plan struct {
	MaxKeys         int64 // that are there, whether they work or not
	MaxMembers      int64
	MaxRoles        int64 // beside the system roles
	MaxEventsPerDay int64 // in a UTC day
}
