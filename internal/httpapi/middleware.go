package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/fastpath"
	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/id"
)

// recorder records the answer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader notes the status of the final answer.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts.
func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ServeHTTP takes every request in and sees every answer out: headers that all answers have, the refusals before
// routing, panics, one line of log, metrics.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.LongWay && (a.quickly(w, r) || a.quicklyCheck(w, r)) {
		return
	}
	x := &exchange{api: a, w: &recorder{ResponseWriter: w}, start: a.Now(), id: a.requestID(r), client: a.client(r)}
	x.r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	a.setCommon(w.Header(), x.id)
	defer x.conclude()
	// before the screen: what that refuses is refused in the gateway's form there
	if r.URL.EscapedPath() == fastpath.CheckPath {
		x.check()
		return
	}
	if err := a.screen(r); err != nil {
		x.fail(err)
		return
	}
	if portal, operation, ok := portalCall(r.URL.EscapedPath()); ok {
		inner, err := x.enterPortal(x.r, portal, operation)
		if err != nil {
			x.fail(err)
		}
		if inner == nil {
			return
		}
		x.r = inner
	}
	a.mux.ServeHTTP(x.w, x.r)
}

// client is the caller's address, as far as trusted proxies tell.
func (a *api) client(r *http.Request) netip.Addr {
	return gateway.ClientAddress(
		gateway.Address(r.RemoteAddr), a.TrustedProxies.List(), r.Header.Values("X-Forwarded-For"),
	)
}

// The headers that every answer has, beside its X-Request-Id. The values are shared and must not be written to.
var (
	noStore    = []string{"no-store"}
	noSniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	lastOne    = []string{"close"}
)

func (a *api) setCommon(h http.Header, requestID string) {
	h["X-Request-Id"] = []string{requestID}
	h["Cache-Control"], h["X-Content-Type-Options"], h["Referrer-Policy"] = noStore, noSniff, noReferrer
	if a.Stopping() {
		h["Connection"] = lastOne
	}
}

// conclude turns a panic into an answer and writes the request's line. A deliberate abort goes on after it is logged.
func (x *exchange) conclude() {
	panicked := recover()
	aborted := panicked == http.ErrAbortHandler //nolint:errorlint // the value of a panic
	if panicked != nil && !aborted {
		x.stack = debug.Stack()
		aborted = x.answerPanic(panicked)
	}
	x.report()
	if aborted {
		panic(http.ErrAbortHandler)
	}
}

// answerPanic answers internal_error, or tells that the answer under way has to be broken off.
func (x *exchange) answerPanic(panicked any) (aborted bool) {
	err := fmt.Errorf("panic: %v", panicked)
	if x.w.status != 0 {
		x.cause = err
		return true
	}
	x.fail(err)
	return false
}

// methods are the words that log and metrics use; anything else a client sends is "other".
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions,
}

// report counts this request and writes its line, where it has one: all of it bounded, none of it a query string or a
// credential.
func (x *exchange) report() {
	took := x.api.Now().Sub(x.start)
	operation, method := "other", "other"
	if x.route != nil {
		operation = x.route.name
	}
	if slices.Contains(methods, x.r.Method) {
		method = x.r.Method
	}
	x.api.Observer.ObserveRequest(operation, method, x.w.status, took.Seconds())
	standsFor := x.standsFor(took)
	if standsFor == 0 && x.cause == nil {
		return
	}
	l := line{
		standsFor: standsFor, level: x.level(), method: method, route: x.on, operation: operation, status: x.w.status,
		took: took, bytes: x.w.bytes,
		workspace: x.workspace(), requestID: x.id, client: x.client, cause: x.cause, stack: x.stack,
	}
	l.caller, l.callerID = x.callerName()
	x.api.write(context.WithoutCancel(x.ctx()), &l)
}

// standsFor tells for how many requests this one's line stands, 0 for none.
func (x *exchange) standsFor(took time.Duration) int {
	if x.route == nil || !x.route.data {
		return 1
	}
	return x.api.AccessLog.Lines(x.w.status >= http.StatusBadRequest && !x.decided, took)
}

func (x *exchange) level() slog.Level {
	switch {
	case x.cause != nil:
		return slog.LevelError
	case x.route != nil && x.route.quiet:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

func (x *exchange) callerName() (kind, name string) {
	switch {
	case x.caller.Session != "":
		return "session", string(x.caller.Session)
	case x.caller.Portal != "":
		return "portal_session", string(x.caller.Portal)
	case x.caller.Person.User != "":
		return "person", string(x.caller.Person.User)
	case x.caller.ServiceKey != "":
		return "service_key", string(x.caller.ServiceKey)
	case x.caller.APIKey != "":
		return "api_key", string(x.caller.APIKey)
	}
	return "none", ""
}

// workspace is the one that the request names, where it has the form of a workspace's id.
func (x *exchange) workspace() string {
	for _, named := range []string{x.r.PathValue("workspaceId"), x.query.values["workspaceId"]} {
		if _, ok := id.Parse(named); ok {
			return named
		}
	}
	return x.home
}

func (x *exchange) remote() string {
	if !x.client.IsValid() {
		return ""
	}
	return x.client.String()
}
