// Package httpapi owns the HTTP door: routes, strict reading of requests, writing of answers and refusals, the
// caller's identity and address. It does not own the operations (control), the decision about a key (verify), the
// shapes on the wire (wire), nor listeners and deadlines of connections (server).
package httpapi

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/accesslog"
	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/httplimit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/installation"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/oidc"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/verifycodec"
)

// Config holds the parts of the door. Control, Engine, Catalogue, Format, Logger and Now are needed; the rest may be
// left out.
type Config struct {
	Control   *control.Service
	Engine    *verify.Engine
	Catalogue *perm.Catalogue
	Format    keyfmt.Format
	Logger    *slog.Logger
	Now       func() time.Time // the machine's clock, with a monotonic part: for durations and deadlines
	Clock     func() time.Time // by which expiry and limits are judged; nil is Now
	Observer  Observer

	OpenAPI    []byte            // the contract, for /openapi.json
	Reference  map[string][]byte // the same for people, HTML: "" for /docs, and others by their names below it
	Stylesheet []byte            // CSS, for /docs/style.css
	Script     []byte            // for /docs/docs.js

	// Feed serves followers; nil serves none.
	Feed *Feed
	// Nodes tells of the other nodes.
	Nodes Nodes
	// Installation reads the condition of the installation, for its operator.
	Installation *installation.Reader
	// Ready reports whether verifications can be answered, and the body of /readyz: a map of text if they cannot.
	Ready func(context.Context) (ok bool, body any)
	// TrustedProxies are the networks whose X-Forwarded-For is believed; nil for none.
	TrustedProxies *gateway.Proxies
	// Gateway decides for proxies; nil makes one without a route table.
	Gateway *gateway.Gate
	// LimitMode says how the nodes share the minutes of a workspace's keys: exact, leased or local; nil is local.
	LimitMode func(id.Workspace) string
	// Failures limits attempts with credentials that are none; nil does not.
	Failures *httplimit.Failures
	// Free bounds, for each address, the requests that cost no limit; nil does not.
	Free *httplimit.Failures
	// PortalCalls bounds, for each portal session, the requests with its token; nil does not.
	PortalCalls *httplimit.Failures
	// Metrics answers /metrics.
	Metrics http.Handler
	// Persons knows the tokens that an OpenID provider makes for people; nil knows none.
	Persons *oidc.Provider
	// Base is the address under which people are to open links, without a path; nil takes it from each request.
	Base func(*http.Request) string
	// PublicURL is the same address as it is configured, without a path; "" has no portal sessions.
	PublicURL string
	// Pages are the browser's pages: its patterns answer paths without an operation, outside of /api/. The front page
	// is theirs to take.
	Pages *http.ServeMux
	// LongWay answers nothing on a shorter way.
	LongWay bool
	// DataPlane leaves only the operations that a platform asks for with each of its own requests: verify and
	// verify-batch.
	DataPlane bool
	// Follower leaves the operations of a follower: those, introspection, health and metrics. There is no Control then,
	// and the callers are the service keys of the copy alone.
	Follower bool
	// Refuse shows a person why a request was refused; without it they read JSON.
	Refuse func(http.ResponseWriter, *http.Request, error)
	// Lines is where Logger writes, where that is slog's JSON and nothing but a time, a level and a message is added to
	// it. Then the line of a quick answer is written there, as slog would write it.
	Lines io.Writer
	// AccessLog says which requests of the data plane have a line.
	AccessLog accesslog.Mode
	// Stopping tells that every answer is to be the last of its connection.
	Stopping func() bool
}

// Observer receives events for metrics. It must be safe for concurrent use and quick.
type Observer interface {
	// ObserveRequest is told of every request once it is answered. The operation is one of a fixed set, "other" where
	// no route matched, and so is the method.
	ObserveRequest(operation, method string, status int, seconds float64)
	// ObserveVerdict is told of every verification.
	ObserveVerdict(code string)
}

// Nodes are the processes that serve the same database, this one among them.
type Nodes interface {
	// Effect tells how far the change that was committed here at a revision has got; with wait it answers once that is
	// everywhere.
	Effect(ctx context.Context, revision int64, wait bool) cluster.Effect
	Members(ctx context.Context) ([]cluster.Member, error)
	// Children lists the followers of all of them.
	Children(ctx context.Context) ([]cluster.Child, error)
}

type api struct {
	Config
	mux    *http.ServeMux
	ids    *id.Generator // of requests
	redact redactor
	codec  *verifycodec.Codec
	desks  sync.Pool // of *desk

	largeOfServices, largeOfOthers *decodes
	largeBatches                   *decodes
}

// API is the door. It is safe for concurrent use.
type API struct{ a *api }

// ServeHTTP answers any request.
func (d *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.a.ServeHTTP(w, r) }

// New makes the handler of every route.
func New(c Config) *API {
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.Ready == nil {
		c.Ready = func(context.Context) (bool, any) { return true, map[string]string{"status": "ready"} }
	}
	if c.Base == nil {
		c.Base = func(r *http.Request) string { return "http://" + r.Host }
	}
	if c.Pages == nil {
		c.Pages = http.NewServeMux()
	}
	if c.Stopping == nil {
		c.Stopping = func() bool { return false }
	}
	if c.Clock == nil {
		c.Clock = c.Now
	}
	if c.Nodes == nil {
		c.Nodes = &cluster.Alone{Now: c.Now}
	}
	if c.Metrics == nil {
		c.Metrics = http.NotFoundHandler()
	}
	if c.Gateway == nil {
		c.Gateway = gateway.New(
			gateway.Config{
				Engine: c.Engine, Catalogue: c.Catalogue, Format: c.Format, Now: c.Clock, TrustedProxies: c.TrustedProxies,
			},
		)
	}
	a := &api{Config: c, redact: newRedactor(c.Format), codec: verifycodec.New(c.Catalogue),
		largeOfServices: newDecodes(), largeOfOthers: newDecodes(), largeBatches: newBatches()}
	a.desks.New = func() any { return &scratch{reader: a.codec.Reader()} }
	a.ids = id.NewGenerator(c.Now, rand.Reader).InBatches()
	a.mux = a.router()
	return &API{a}
}

type nobody struct{}

func (nobody) ObserveRequest(string, string, int, float64) {}
func (nobody) ObserveVerdict(string)                       {}
