package ratelimit

// Minutes decides on the limits per minute in the place of the windows that a Limiter keeps itself: for several nodes
// that share them. It is safe for concurrent use. Its outcomes are Admitted, MinuteSpent and Unavailable, and WouldWait
// to a question with NoWait.
type Minutes interface {
	// Shares tells whether the nodes share this key's minute, and its workspace's, at all. Where they do not, the
	// Limiter keeps the windows itself.
	Shares(who Subject) bool
	// Take admits a cost under both limits or under none, so that at most each limit is admitted in any interval of 60
	// seconds. It sets s.Minute and s.WorkspaceMinute to their state afterwards, and after a refusal s.ByPlan and
	// s.RetryAt, unless that is later already. A cost of 0 spends nothing, and is refused if not even 1 would be
	// admitted.
	Take(who Subject, limits PerMinute, cost int64, s *Status) Outcome
	// Peek is Take that spends nothing, for any cost.
	Peek(who Subject, limits PerMinute, cost int64, s *Status) Outcome
}

// PerMinute holds a key's limit per minute and that of its workspace's plan, each 0 where there is none. One of them is
// 1 or more.
type PerMinute struct{ Key, Workspace int64 }
