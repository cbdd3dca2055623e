package verify

import (
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/replica"
)

// Source is asked where this copy must not decide by itself: the node that a follower follows. Its answers take a
// network's time. It is safe for concurrent use.
type Source interface {
	// Limits asks about a key that has limits and was found good, with the verdict as it is so far. It sets v.Limits,
	// and answers the code; Unavailable where the source does not answer.
	Limits(q *Question, v *Verdict) Code
	// Partial tells whether the source knows keys that this copy does not have.
	Partial() bool
	// Unknown asks about a value that is not in this copy, and sets the verdict.
	Unknown(q *Question, v *Verdict)
}

// atSource asks the source about the limits of a key, or of its workspace.
func (e *Engine) atSource(q *Question, v *Verdict) Code {
	switch {
	case v.Key.Limits == ratelimit.Limits{} && v.Key.Plan == nil:
		return Valid
	case q.wait == ratelimit.NoWait:
		return wouldWait
	}
	q.elsewhere = true
	asked := *q // a copy, so that questions that are answered here stay on the stack
	return e.source.Limits(&asked, v)
}

// unknown asks the source about a value that this copy does not have.
func (e *Engine) unknown(facts *replica.Replica, env keyfmt.Environment, q *Question, v *Verdict) {
	ours := env != ""
	switch {
	case v.Code != NotFound && v.Code != Malformed, v.Key.UUID != [16]byte{}, env == keyfmt.Service, !e.source.Partial():
		return
	case !ours && !e.format.MayBeForeign(q.Key):
		return
	case !facts.Ready():
		*v = Verdict{Code: Unavailable}
	case q.wait == ratelimit.NoWait:
		*v = Verdict{Code: wouldWait}
	default:
		*v = Verdict{}
		q.elsewhere = true
		asked := *q
		e.source.Unknown(&asked, v)
	}
}
