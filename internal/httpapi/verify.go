package httpapi

import (
	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/wire"
)

func (a *api) verify(x *exchange, in wire.Verify) (wire.Verdict, error) {
	if err := x.needScope(account.ScopeVerify); err != nil {
		return wire.Verdict{}, err
	}
	q, err := a.codec.Question(&in, "")
	if err != nil {
		return wire.Verdict{}, err
	}
	q.Within = x.within()
	return a.answer(&q)
}

// verifyBatch reads every question before it answers the first, so that a wrong one costs the others nothing. An item
// that cannot be judged says so in its own place: an answer that left the others out would have charged them for
// nothing.
func (a *api) verifyBatch(x *exchange, in wire.VerifyBatch) (wire.Verdicts, error) {
	if err := x.needScope(account.ScopeVerify); err != nil {
		return wire.Verdicts{}, err
	}
	questions, err := a.codec.Questions(&in)
	if err != nil {
		return wire.Verdicts{}, err
	}
	out := wire.Verdicts{Results: make([]wire.Verdict, len(questions))}
	for i := range questions {
		questions[i].Within = x.within()
	}
	var batch verify.Batch
	batch.Begin(a.Engine, questions)
	for i := range questions {
		v := batch.Next()
		a.Observer.ObserveVerdict(string(v.Code))
		out.Results[i] = a.codec.Verdict(v)
	}
	return out, nil
}

// within is the reach of the service key that asks; nil where it is not bound.
func (x *exchange) within() *account.Reach {
	if x.service == nil || x.service.Bounds.All() {
		return nil
	}
	return &x.service.Bounds.Reach
}

// answer asks the engine. Where it cannot tell, nothing is told.
func (a *api) answer(q *verify.Question) (wire.Verdict, error) {
	var v verify.Verdict
	a.Engine.Check(q, &v)
	a.Observer.ObserveVerdict(string(v.Code))
	if v.Code == verify.Unavailable {
		return wire.Verdict{}, unavailable()
	}
	return a.codec.Verdict(&v), nil
}
