// Package extauthz owns the gRPC door: envoy.service.auth.v3.Authorization/Check, with health and reflection beside it.
// It puts Envoy's words into the gateway's and back, and owns the listener's bounds. It decides nothing (gateway).
package extauthz

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/keyward/keyward/internal/accesslog"
	"github.com/keyward/keyward/internal/gateway"
)

// Config holds the parts of the door. TLS is nil for plain HTTP/2.
type Config struct {
	Gate      *gateway.Gate
	Logger    *slog.Logger
	Now       func() time.Time
	RequestID func() string
	Observer  Observer
	AccessLog accesslog.Mode // which checks have a line
	TLS       *tls.Config
}

// Observer receives events for metrics.
type Observer interface {
	ObserveRequest(operation, method string, status int, seconds float64)
	ObserveVerdict(code string)
}

// Server answers Envoy. Make it with New.
type Server struct {
	Config
	grpc    *grpc.Server
	health  *health.Server
	encoded encoded
	authv3.UnimplementedAuthorizationServer
}

// The bounds of a peer's use. Envoy opens one connection for each of its threads and asks on many streams of it.
const (
	maxMessage    = 16 << 20 // bytes: a larger question fails as a call, without an answer
	maxHeaderList = 16 << 10
	maxStreams    = 1000 // at once, on a connection
	handshakeTime = 10 * time.Second
	idleTime      = 15 * time.Minute
	pingEvery     = time.Minute // on a connection that says nothing
	pingTimeout   = 20 * time.Second
	pingAtMost    = 5 * time.Second // more often is abuse
)

const service = "envoy.service.auth.v3.Authorization"

// New makes the door; Serve opens it. It says that it does not serve until SetReady.
func New(c Config) *Server {
	s := &Server{Config: c, health: health.NewServer()}
	s.encoded.answers.Store(&sync.Map{})
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxHeaderListSize(maxHeaderList), grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(handshakeTime), grpc.UnaryInterceptor(s.guard),
		grpc.NumStreamWorkers(uint32(2 * runtime.GOMAXPROCS(0))), // a check is short: its goroutine need not be made anew
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleTime, Time: pingEvery, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingAtMost, PermitWithoutStream: true}),
	}
	if c.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(c.TLS)))
	}
	s.grpc = grpc.NewServer(options...)
	authv3.RegisterAuthorizationServer(s.grpc, s)
	healthv1.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	s.SetReady(false)
	return s
}

// Serve answers until Stop. It closes the listener.
func (s *Server) Serve(l net.Listener) error { return s.grpc.Serve(l) }

// SetReady says in the health service whether verifications are answered.
func (s *Server) SetReady(ready bool) {
	state := healthv1.HealthCheckResponse_NOT_SERVING
	if ready {
		state = healthv1.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", state)
	s.health.SetServingStatus(service, state)
}

// Stop takes no more requests and waits for those that have begun; when ctx ends they are cut off, and that is the
// error.
func (s *Server) Stop(ctx context.Context) error {
	s.health.Shutdown()
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
		return ctx.Err()
	}
}

// guard turns a panic into a denial: an error of the call could be taken for a reason to let the request pass
// (failure_mode_allow).
func (s *Server) guard(
	ctx context.Context, in any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
) (out any, err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		s.Logger.Error(
			"request", "operation", operation, "error", fmt.Sprintf("panic: %v", p), "stack", string(debug.Stack()),
		)
		if _, ours := in.(*authv3.CheckRequest); ours {
			out, err = broken(), nil
			return
		}
		out, err = nil, errInternal
	}()
	return handle(ctx, in)
}

// Check answers Envoy. It never fails as a call: a request that cannot be judged is denied.
func (s *Server) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	start := s.Now()
	var asked gateway.Asked
	var d gateway.Decision
	if !ask(r, &asked) {
		d.Status = http.StatusBadRequest
		s.report(&d, &asked, "", true, start)
		return unreadable(), nil
	}
	s.Gate.Decide(&asked, &d)
	if d.Passes() {
		s.report(&d, &asked, "", false, start)
		return s.encoded.pass(r, &d), nil
	}
	id := s.RequestID()
	s.report(&d, &asked, id, d.Failed(), start)
	return deny(&d, id), nil
}

// report counts a check and writes its line, where it has one.
func (s *Server) report(d *gateway.Decision, asked *gateway.Asked, id string, failed bool, start time.Time) {
	took := s.Now().Sub(start)
	if d.Asked {
		s.Observer.ObserveVerdict(string(d.Verdict.Code))
	}
	s.Observer.ObserveRequest(operation, http.MethodPost, d.Status, took.Seconds())
	broken := d.Status >= http.StatusInternalServerError
	standsFor := s.AccessLog.Lines(failed, took)
	if standsFor == 0 && !broken {
		return
	}
	if id == "" {
		id = s.RequestID()
	}
	level, caller, callerID, workspace := slog.LevelInfo, "none", "", ""
	if d.Verdict.Known() {
		caller, callerID, workspace = "api_key", string(d.Verdict.Key.ID()), string(d.Verdict.Key.Workspace)
	}
	remote := ""
	if asked.Peer.IsValid() {
		remote = asked.Peer.String()
	}
	attrs := []slog.Attr{slog.String("method", http.MethodPost), slog.String("route", "/"+service+"/Check"),
		slog.String("operation", operation), slog.Int("status", d.Status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.String("caller", caller), slog.String("caller_id", callerID), slog.String("workspace", workspace),
		slog.String("request_id", id), slog.String("remote", remote)}
	if standsFor > 1 {
		attrs = append(attrs, slog.Int("one_in", standsFor))
	}
	if broken {
		level, attrs = slog.LevelError, append(attrs, slog.String("error", d.Fault.Error()))
	}
	s.Logger.LogAttrs(context.Background(), level, "request", attrs...)
}

const operation = "checkEnvoy"

// ask translates the request for the gateway. Method and path are Envoy's own, and no header is read for them; the
// client of Envoy is the peer, whose X-Forwarded-For counts if it is a trusted proxy itself.
func ask(r *authv3.CheckRequest, a *gateway.Asked) bool {
	attributes := r.GetAttributes()
	asked := attributes.GetRequest().GetHttp()
	a.Direct, a.Method, a.Target = true, asked.GetMethod(), asked.GetPath()
	a.Peer = gateway.Address(attributes.GetSource().GetAddress().GetSocketAddress().GetAddress())
	if raw := asked.GetHeaderMap().GetHeaders(); len(raw) > 0 { // Envoy's encode_raw_headers: line by line
		for _, h := range raw {
			value := h.GetValue()
			if value == "" {
				value = string(h.GetRawValue())
			}
			tell(a, h.GetKey(), value)
		}
	} else {
		for name, value := range asked.GetHeaders() {
			tell(a, name, value)
		}
	}
	return extend(attributes.GetContextExtensions(), a)
}

func tell(a *gateway.Asked, name, value string) {
	if !strings.HasPrefix(name, ":") { // :path and its like are attributes too
		a.Header(name, value)
	}
}

// extend reads the demands of a route in Envoy's configuration: context_extensions: {permission:
// "calls:read,calls:write"}, all of them; {environment: live}; {workspaceId: "…,…"}, one of them. An unknown name is
// refused, because it may be a misspelt demand.
func extend(extensions map[string]string, a *gateway.Asked) bool {
	for name, value := range extensions {
		if name != "permission" && name != "environment" && name != "workspaceId" || value == "" ||
			strings.ContainsAny(value, "&%+;= ") {
			return false
		}
		if a.Query != "" {
			a.Query += "&"
		}
		a.Query += name + "=" + strings.ReplaceAll(value, ",", "&"+name+"=")
	}
	return true
}
