package httpapi

import (
	"context"
	"net/http"
	"net/netip"
	"runtime/debug"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/fastpath"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/verifycodec"
)

// hot holds the fixed parts of an operation of the data plane. head and tail are the parts of its answer around the
// result.
type hot struct{ route, operation, message, head, tail string }

var (
	verifyOne  = makeHot(fastpath.VerifyPath, "verifyApiKey", "API key verified", "", "")
	verifyMany = makeHot(fastpath.VerifyBatchPath, "verifyApiKeys", "API keys verified", `{"results":[`, `]}`)
)

func makeHot(route, operation, message, before, after string) *hot {
	return &hot{
		route, operation, message, `{"success":true,"data":{"message":"` + message + `","result":` + before, after + `}}`,
	}
}

// Quick answers a request of the data plane on the shortest way, with its line of log and its metrics, and appends
// the body to reply.Body. If it returns false it has done nothing, and the request is one for ServeHTTP: every
// unusual request, right or wrong, is decided there, so that there is one place for each refusal.
func (d *API) Quick(p *fastpath.Request, reply *fastpath.Reply) bool {
	desk := d.a.desks.Get().(*scratch)
	defer d.a.desks.Put(desk)
	return d.a.quick(desk, p, reply)
}

// Admits reports whether the caller is a service key that may ask, before a large body is read. It counts nothing.
func (d *API) Admits(token string, client netip.Addr, caller *verify.Remembered) bool {
	desk := d.a.desks.Get().(*scratch)
	defer d.a.desks.Put(desk)
	return d.a.mayVerify(desk, &fastpath.Request{Token: token, Client: client, Caller: caller}, d.a.Engine.Look())
}

// Client is the caller's address, by the peer's address and the lines of X-Forwarded-For.
func (d *API) Client(peer netip.Addr, forwarded []string) netip.Addr {
	return gateway.ClientAddress(peer, d.a.TrustedProxies.List(), forwarded)
}

// scratch is the working memory of one quick answer beside the request. It is used again.
type scratch struct {
	reader    *verifycodec.Reader
	caller    account.ServiceKey
	questions []verify.Question
	batch     verify.Batch
	verdict   verify.Verdict
	decision  gateway.Decision
	check     fastpath.Check
	checked   fastpath.Reply
	body, out []byte
	line      []byte
}

func (a *api) quick(d *scratch, p *fastpath.Request, reply *fastpath.Reply) (ok bool) {
	defer func() {
		if p := recover(); p != nil { // it goes the long way, where a panic is answered
			a.Logger.Error("the quick way broke", "error", p, "stack", string(debug.Stack()))
			ok = false
		}
	}()
	if len(p.Body) > largeBody {
		leave, admitted := a.enterBatch(d, p)
		if !admitted {
			return false
		}
		defer leave()
	}
	start := a.Engine.Look()
	on := verifyOne
	if p.Batch {
		on = verifyMany
	}
	if p.RequestID != "" && (!plainID(p.RequestID) || session.Leaks(p.RequestID)) || !a.mayVerify(d, p, start) ||
		!d.read(p) {
		return false
	}
	reply.Status, reply.RetryAfter = http.StatusOK, ""
	if reply.RequestID = p.RequestID; p.RequestID == "" {
		reply.RequestID = a.ids.NextAt(start.UnixMilli())
	}
	before := len(reply.Body)
	var cause error
	if err := a.quickAnswers(d, on, reply, start); err != nil {
		f := faultOf(err)
		cause = f
		reply.Status, reply.Body = f.Code.Status(), append(reply.Body[:before], a.refusal(f, reply.RequestID)...)
		if f.Code == fault.Unavailable {
			reply.RetryAfter = retryAfter
		}
	}
	took := a.Engine.Look().Since(start)
	a.Observer.ObserveRequest(on.operation, http.MethodPost, reply.Status, took.Seconds())
	if standsFor := a.AccessLog.Lines(cause != nil, took); standsFor > 0 || cause != nil {
		l := line{
			standsFor: standsFor, method: http.MethodPost, route: on.route, operation: on.operation, status: reply.Status,
			took: took, bytes: int64(len(reply.Body) - before), caller: "service_key", callerID: string(d.caller.ID),
			requestID: reply.RequestID, client: p.Client, cause: cause,
		}
		d.line = a.writeQuickly(&l, a.Now(), d.line)
	}
	return true
}

// enterBatch waits for the place of a large batch: its questions take a processor for a millisecond or more, and one is
// left to others. A credential that is none has no place to wait for.
func (a *api) enterBatch(d *scratch, p *fastpath.Request) (leave func(), ok bool) {
	if !a.mayVerify(d, p, a.Engine.Look()) {
		return nil, false
	}
	leave, err := a.largeBatches.enter(context.Background())
	return leave, err == nil
}

// mayVerify tells whether a service key calls that may ask. It has no effect: an API key, whose limits a look would
// cost, is not looked up.
func (a *api) mayVerify(d *scratch, p *fastpath.Request, now verify.Instant) bool {
	return a.Engine.AuthenticateService(p.Token, p.Client, now, p.Caller, &d.caller) == verify.Valid &&
		d.caller.Has(account.ScopeVerify)
}

// read reads all that is asked.
func (d *scratch) read(p *fastpath.Request) (ok bool) {
	if p.Batch {
		d.questions, ok = d.reader.Questions(p.Body, d.questions[:0])
		return ok
	}
	if cap(d.questions) == 0 {
		d.questions = make([]verify.Question, 1)
	}
	d.questions = d.questions[:1]
	return d.reader.Question(p.Body, &d.questions[0])
}

func (a *api) quickAnswers(d *scratch, on *hot, reply *fastpath.Reply, now verify.Instant) (err error) {
	b := append(reply.Body, on.head...)
	var within *account.Reach
	if s := &d.caller; !s.Bounds.All() {
		within = &s.Bounds.Reach
	}
	for i := range d.questions {
		d.questions[i].Within = within
	}
	if on == verifyMany {
		d.batch.Begin(a.Engine, d.questions)
	}
	for i := range d.questions {
		if i > 0 {
			b = append(b, ',')
		}
		v := &d.verdict
		if on == verifyMany {
			v = d.batch.Next()
		} else {
			a.Engine.CheckAt(&d.questions[i], v, now)
		}
		a.Observer.ObserveVerdict(string(v.Code))
		if v.Code == verify.Unavailable && on == verifyOne {
			return unavailable()
		}
		if b, err = a.codec.AppendVerdict(b, v); err != nil {
			return err
		}
	}
	if on == verifyMany {
		d.batch = verify.Batch{} // what a cold batch needed is not kept
	}
	reply.Body = append(b, on.tail...)
	return nil
}
