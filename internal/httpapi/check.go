package httpapi

import (
	"net/http"

	"github.com/keyward/keyward/internal/fastpath"
	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/verify"
)

var checkRoute = &route{name: "checkRequest", public: true, data: true}

// check is the door for forward authentication. The refusals and their form are the gateway's; a body is not read.
func (x *exchange) check() {
	x.route, x.on = checkRoute, fastpath.CheckPath
	var asked gateway.Asked
	asked.Peer, asked.Query = gateway.Address(x.r.RemoteAddr), x.r.URL.RawQuery
	for name, lines := range x.r.Header {
		for _, line := range lines {
			asked.Header(name, line)
		}
	}
	var d gateway.Decision
	x.api.Gateway.Decide(&asked, &d)
	if d.Asked {
		x.api.Observer.ObserveVerdict(string(d.Verdict.Code))
		if d.Verdict.Known() {
			x.caller.APIKey, x.home = d.Verdict.Key.ID(), string(d.Verdict.Key.Workspace)
		}
	}
	d.Headers(func(name, value string) { x.w.Header()[http.CanonicalHeaderKey(name)] = []string{value} })
	if d.Fault == nil {
		if d.Status != http.StatusNoContent {
			x.w.Header().Set("Content-Length", "0")
		}
		x.w.WriteHeader(d.Status)
		return
	}
	x.decided = !d.Failed()
	if d.Verdict.Code == verify.Unavailable {
		x.cause = d.Fault
	}
	x.send(d.Status, jsonType, d.Body(x.id))
}
