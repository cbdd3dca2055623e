package ratelimit

// Minutes decides on the limit per minute in the place of the windows that a Limiter keeps itself: for several nodes
// that share one. It is safe for concurrent use. Its outcomes are Admitted, MinuteSpent and Unavailable, and WouldWait
// to a question with NoWait.
type Minutes interface {
	// Shares tells whether the nodes share this key's minute at all. Where they do not, the Limiter keeps the window
	// itself.
	Shares(who Subject) bool
	// Take admits a cost, so that at most limit (1 or more) are admitted in any interval of 60 seconds, or spends
	// nothing. It sets w to the limit's state afterwards, and after a refusal returns RetryAt as Status defines it. A
	// cost of 0 spends nothing, and is refused if not even 1 would be admitted.
	Take(who Subject, limit, cost int64, w *Window) (o Outcome, retryAt int64)
	// Peek is Take that spends nothing, for any cost.
	Peek(who Subject, limit, cost int64, w *Window) (o Outcome, retryAt int64)
}
