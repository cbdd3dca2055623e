package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/keyward/keyward/api"
	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/dashboard"
	"github.com/keyward/keyward/internal/dataplane"
	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/httplimit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/installation"
	"github.com/keyward/keyward/internal/mcp"
	"github.com/keyward/keyward/internal/oidc"
	"github.com/keyward/keyward/internal/portal"
	"github.com/keyward/keyward/internal/signin"
)

// freePerMinute is the number of requests without a limit's cost that an address may make in a minute.
const freePerMinute = 120

// portalPerMinute is the number of requests that a portal session may make in a minute on one node. A page makes a
// handful for each thing that a person does.
const portalPerMinute = 240

// makeHTTP makes the handlers and the servers around them; they are begun by Run.
// refusePage shows a person why a request was refused, within the navigation if they are signed in.
func (s *Server) refusePage(w http.ResponseWriter, r *http.Request, err error) {
	s.dashboard.Refuse(w, s.gate.WithSession(r), err)
}

func (s *Server) makeHTTP(context.Context) error {
	document, err := api.JSON()
	if err != nil {
		return fmt.Errorf("the API's description: %w", err)
	}
	reference, err := api.Reference()
	if err != nil {
		return fmt.Errorf("the API's reference: %w", err)
	}
	provider := s.provider()
	nodes := s.nodes()
	condition := &installation.Reader{Control: s.control, Nodes: nodes, Machine: s.machine}
	pages, err := s.pages(provider, nodes, condition)
	if err != nil {
		return err
	}
	c := httpapi.Config{
		Control: s.control, Engine: s.engine, Catalogue: s.catalogue, Format: s.format,
		Logger: s.log, Now: s.opt.Now, Clock: s.clock.Now, Observer: s.metrics,
		OpenAPI: document, Reference: reference, Stylesheet: api.Stylesheet(), Script: api.Script(),
		LongWay: s.opt.LongWay, Ready: s.readiness, TrustedProxies: &s.proxies, Gateway: s.gateway,
		Installation: condition,
		Pages:        pages, Base: s.gate.Base, Nodes: nodes, Feed: s.feed, Refuse: s.refusePage, Persons: provider,
		PublicURL:   s.cfg.PublicURL,
		Failures:    httplimit.NewFailures(s.cfg.BadCredentials, s.elapsed),
		Free:        httplimit.NewFailures(freePerMinute, s.elapsed),
		PortalCalls: httplimit.NewFailures(portalPerMinute, s.elapsed),
		Stopping:    s.stopping.Load, Lines: s.jsonLines, AccessLog: s.cfg.AccessLog,
	}
	if s.shared != nil {
		c.LimitMode = func(w id.Workspace) string { return s.shared.ModeOf(w).String() }
	}
	if s.metricsListener == nil {
		c.Metrics = s.metrics.Handler()
	} else {
		s.add(s.metricsListener, s.metricsAlone())
	}
	answers := httpapi.New(c)
	if s.cfg.MCP != config.MCPOff {
		pages.Handle(mcp.Path, mcp.NewDoor(mcp.DoorConfig{
			API: answers, PublicURL: s.cfg.PublicURL, AllowWrite: s.cfg.MCP == config.MCPWrite, Version: s.opt.Version,
			Logger: s.log, Now: s.opt.Now,
		}))
	}
	if err := s.addLean(s.listener, telling{answers, s.opt.Slow}, "h2", "http/1.1"); err != nil {
		return err
	}
	return s.addData(c)
}

// provider is the OpenID provider, nil if there is none. It is asked when it is first needed: a start does not wait
// for it.
func (s *Server) provider() *oidc.Provider {
	o := s.cfg.OIDC
	if o.Issuer == "" {
		return nil
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	s.push("the connections to the OpenID provider", func() error { transport.CloseIdleConnections(); return nil })
	return oidc.New(
		oidc.Config{Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret, UserClaim: o.UserClaim,
			Audience: o.Audience, Now: s.opt.Now, Transport: transport},
	)
}

// pages are the browser's pages: signing in, and the pages behind the gate.
func (s *Server) pages(
	provider *oidc.Provider, nodes httpapi.Nodes, condition *installation.Reader,
) (*http.ServeMux, error) {
	var err error
	s.dashboard = dashboard.New(dashboard.Config{
		Control: s.control, Engine: s.engine, Gate: dashboard.Sessions{}, Nodes: nodes, Now: s.clock.Now, Wall: s.opt.Now,
		Logger:       s.log,
		Installation: condition,

		Base:       func(r *http.Request) string { return s.gate.Base(r) },
		NoPasskeys: func(r *http.Request) string { return s.gate.NoPasskeys(r) },
	})
	s.gate, err = signin.New(signin.Config{
		Control: s.control, Logger: s.log, Origin: httpapi.Origin, Known: httpapi.Known, OverTLS: httpapi.OverTLS,
		Failed: httpapi.Failed, Wait: httpapi.Wait, Render: s.dashboard.SignIn,
		PublicURL: s.cfg.PublicURL, OIDC: provider, Secret: s.db.Secret(), Now: s.clock.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("the pages of signing in: %w", err)
	}
	mux := http.NewServeMux()
	s.gate.Routes(mux)
	s.dashboard.Routes(mux, s.gate.Require)
	hosted, err := portal.New(portal.Config{Sessions: s.control, Logger: s.log})
	if err != nil {
		return nil, fmt.Errorf("the page of portal sessions: %w", err)
	}
	hosted.Routes(mux)
	return mux, nil
}

// telling tells of the requests that net/http is left with.
type telling struct {
	*httpapi.API
	slow func()
}

func (t telling) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.slow()
	t.API.ServeHTTP(w, r)
}

// add makes a server that no client can hold a connection of without end.
func (s *Server) add(l net.Listener, h http.Handler) {
	s.servers = append(s.servers, &serving{listener: l, by: s.bounded(h)})
}

// addLean makes a server that answers the data plane's requests itself, and leaves the others to net/http. protocols
// are the protocols that TLS offers, if it is spoken.
func (s *Server) addLean(l net.Listener, door dataplane.Door, protocols ...string) error {
	if s.cfg.TLS() {
		l = tls.NewListener(l, s.certificate.config(protocols...))
	}
	if s.opt.LongWay {
		s.add(l, door)
		return nil
	}
	s.servers = append(s.servers, &serving{listener: l, by: dataplane.New(door, s.bounded(nil), time.Now, s.log)})
	return nil
}

func (s *Server) bounded(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeader,
		ReadTimeout:       readBody,
		WriteTimeout:      writeAnswer,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// metricsAlone serves the metrics and nothing else.
func (s *Server) metricsAlone() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	return mux
}

// readiness is the answer of /readyz: whether this node should be asked. A database that is away does not change that
// as long as the copy is fresh enough, or one database would take every node out at once.
func (s *Server) readiness(ctx context.Context) (bool, any) {
	state := "ready"
	switch {
	case s.stopping.Load():
		state = "stopping"
	case !s.replica.Ready():
		state = s.unready()
	case s.node != nil && s.node.Skew().Abs() > cluster.SkewToStop:
		state = "this machine's clock and the database's differ by " + s.node.Skew().Abs().Round(time.Second).String()
	case s.lacks() != "":
		state = s.lacks()
	case s.node == nil && s.db.Ping(ctx) != nil:
		state = "the database cannot be read"
	}
	facts := map[string]string{"status": state}
	switch {
	case state != "ready":
	case s.db.Full():
		facts = map[string]string{"status": "degraded", "storage": "full"}
	case s.db.ReadOnly():
		facts = map[string]string{"status": "degraded", "storage": "read_only"}
	}
	if note := s.differenceNote(); note != "" {
		facts["nodes"] = note
	}
	if note := s.limitsNote(); note != "" {
		facts["limits"] = note
	}
	return state == "ready", facts
}

// unready says why nothing can be answered.
func (s *Server) unready() string {
	if s.sole.detached.Load() {
		return "the database's file was moved, removed, replaced or written over: stop this server and put the right file in place"
	}
	if s.node != nil && s.node.Stats().Loads > 0 {
		return "the copy in memory is older than KEYWARD_MAX_STALENESS: the database cannot be reached, or has become another"
	}
	return "loading"
}
