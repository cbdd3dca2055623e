package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/fastpath"
	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/verify"
)

// QuickCheck is Quick for a proxy's check: the same decision, headers and bytes as ServeHTTP gives. reply.Headers are
// all of the answer's but Cache-Control, Connection, Content-Length, Content-Type and Date, in the order of their
// names.
func (d *API) QuickCheck(p *fastpath.Check, reply *fastpath.Reply) bool {
	desk := d.a.desks.Get().(*scratch)
	defer d.a.desks.Put(desk)
	return d.a.quickCheck(desk, p, reply)
}

func (a *api) quickCheck(d *scratch, p *fastpath.Check, reply *fastpath.Reply) (ok bool) {
	start := a.Now()
	defer func() {
		if broken := recover(); broken != nil { // it goes the long way, where a panic is answered
			a.Logger.Error("the quick way broke", "error", broken, "stack", string(debug.Stack()))
			ok = false
		}
	}()
	if p.RequestID != "" && (!plainID(p.RequestID) || session.Leaks(p.RequestID)) {
		return false
	}
	if reply.RequestID = p.RequestID; p.RequestID == "" {
		reply.RequestID = a.ids.Next()
	}
	p.Asked.Peer = p.Peer
	decided := &d.decision
	a.Gateway.Decide(&p.Asked, decided)
	if decided.Preflight() { // an answer without a body is written by net/http; nothing was spent
		return false
	}
	reply.Status, reply.Body = decided.Status, append(reply.Body[:0], decided.Body(reply.RequestID)...)
	reply.Headers = append(reply.Headers[:0], fastpath.Header{Name: "Referrer-Policy", Value: "no-referrer"},
		fastpath.Header{Name: "X-Content-Type-Options", Value: "nosniff"},
		fastpath.Header{Name: "X-Request-Id", Value: reply.RequestID})
	decided.Headers(func(name, value string) {
		reply.Headers = append(reply.Headers, fastpath.Header{Name: http.CanonicalHeaderKey(name), Value: value})
	})
	slices.SortFunc(reply.Headers, func(a, b fastpath.Header) int { return strings.Compare(a.Name, b.Name) })
	a.reportCheck(decided, p, reply, start)
	return true
}

// reportCheck records the same as exchange.report.
func (a *api) reportCheck(d *gateway.Decision, p *fastpath.Check, reply *fastpath.Reply, start time.Time) {
	took := a.Now().Sub(start)
	if d.Asked {
		a.Observer.ObserveVerdict(string(d.Verdict.Code))
	}
	a.Observer.ObserveRequest(checkRoute.name, http.MethodGet, d.Status, took.Seconds())
	var cause error
	if d.Fault != nil && d.Verdict.Code == verify.Unavailable {
		cause = d.Fault
	}
	standsFor := a.AccessLog.Lines(d.Failed(), took)
	if standsFor == 0 && cause == nil {
		return
	}
	l := line{
		standsFor: standsFor, method: http.MethodGet, route: fastpath.CheckPath, operation: checkRoute.name, status: d.Status,
		took: took, bytes: int64(len(reply.Body)), caller: "none", requestID: reply.RequestID, client: p.Client, cause: cause,
	}
	if cause != nil {
		l.level = slog.LevelError
	}
	if d.Verdict.Known() {
		l.caller, l.callerID, l.workspace = "api_key", string(d.Verdict.Key.ID()), string(d.Verdict.Key.Workspace)
	}
	a.write(context.Background(), &l)
}
