package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/wire"
)

// exchange is one request on its way to its answer, and all that the log will say of it.
type exchange struct {
	api    *api
	w      *recorder
	r      *http.Request
	start  time.Time
	id     string     // of the request
	client netip.Addr // who asks, as far as the trusted proxies tell
	route  *route     // nil where none matched
	on     string     // the pattern that matched
	query  query

	caller    control.Caller
	receipt   control.Receipt     // where in the log the request's operation was committed
	service   *account.ServiceKey // set where a service key calls
	home      string              // the workspace of an API key that calls
	tokenSent bool
	through   id.Portal // the call came below the path of this portal session; "" for none
	address   string    // of such a call, under the public URL
	token     string    // of the portal session, once it is found good
	frameOnly bool      // the portal session reveals values to this server's own page alone
	status    int       // of success, where the route's own does not fit
	message   string    // likewise

	leave func() // ends the request's turn at reading; nil where it has none

	decided bool   // a refusal is a decision about a key, and no failure of the request
	cause   error  // for the log
	stack   []byte // of a panic
}

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

func (x *exchange) ctx() context.Context { return x.r.Context() }

// endpoint answers one operation, or returns its error.
type endpoint func(*exchange) error

// handle is every JSON operation: read the body to the letter, do it, answer in the envelope.
func handle[In, Out any](do func(*exchange, In) (Out, error)) endpoint {
	return func(x *exchange) error {
		var in In
		if err := x.decode(&in); err != nil {
			return err
		}
		out, err := do(x, in)
		if err != nil {
			return err
		}
		status := x.route.status
		if x.status != 0 {
			status = x.status
		}
		if status == 0 {
			status = http.StatusOK
		}
		message := cmp.Or(x.message, x.route.message)
		return x.writeJSON(status, wire.Success[Out]{Success: true, Data: wire.Data[Out]{Message: message, Result: out}})
	}
}

// show is an operation without a body.
func show[Out any](do func(*exchange) (Out, error)) endpoint {
	return handle(func(x *exchange, _ wire.Nothing) (Out, error) { return do(x) })
}

// dispatch takes the request through the steps that every operation has in common, in the contract's order.
func (x *exchange) dispatch(r *http.Request, res *resource) {
	x.r, x.on = r, res.pattern
	for _, name := range res.ids {
		r.SetPathValue(name, id.Canonical(r.PathValue(name)))
	}
	if err := x.perform(res); err != nil {
		x.fail(err)
	}
}

func (x *exchange) perform(res *resource) error {
	rt, ok := res.routes[x.r.Method]
	if !ok {
		x.w.Header().Set("Allow", res.allow)
		return fault.New(fault.MethodNotAllowed, "this path takes "+res.allow)
	}
	if x.through != "" && rt.portal == portalClosed {
		return noRoute()
	}
	x.route = rt
	if !rt.public {
		if err := x.admit(); err != nil {
			return err
		}
	}
	if rt.open {
		return rt.serve(x)
	}
	var err error
	if x.query, err = parseQuery(x.r.URL.RawQuery, rt.query, rt.repeat); err != nil {
		return err
	}
	if !rt.holds {
		if err := x.query.wait(); err != nil {
			return err
		}
	}
	if x.caller.Within, err = x.query.word("workspaceId"); err != nil {
		return err
	}
	leave, err := x.readTurn()
	if err != nil {
		return err
	}
	defer leave()
	return rt.serve(x)
}

// readTurn waits for the turn of a request that changes nothing: reading and encoding take a processor for
// milliseconds, and a tenant with many such requests leaves one to others. The turn ends before the answer is
// written to the connection.
func (x *exchange) readTurn() (leave func(), err error) {
	rt, asks := x.route, x.query.values
	reads := x.r.Method == http.MethodGet || x.r.Method == http.MethodHead || asks["dryRun"] == "true"
	if !reads || rt.public || rt.data || rt.holds || rt.paced || asks["search"] != "" || x.api.Control == nil {
		return func() {}, nil
	}
	end, err := x.api.Control.ReadTurn(x.ctx(), x.caller.Tenant(x.workspace()))
	if err != nil {
		return nil, err
	}
	x.leave = sync.OnceFunc(end)
	return x.leave, nil
}

// admit authenticates the caller: below the path of a portal session by its token alone.
func (x *exchange) admit() error {
	if x.through == "" {
		return x.authenticate()
	}
	if err := x.authenticatePortal(); err != nil {
		return err
	}
	if x.route.revealing && x.frameOnly && !x.ownPage() {
		return control.FramesAlone()
	}
	return nil
}

func noRoute() error { return fault.New(fault.NotFound, "there is nothing at this path") }
