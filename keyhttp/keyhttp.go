// Package keyhttp guards the handlers of a Go service with a Keyward server: a request gets through with a key that is
// good for what the handler does, and with nothing else.
//
//	client, err := keyward.New("https://keys.example.com", keyward.WithToken(os.Getenv("KEYWARD_TOKEN")))
//	guard := keyhttp.New(client, keyhttp.WithEnvironment("live"))
//	mux.Handle("GET /calls", guard.Require("calls:read")(listCalls))
//
//	func listCalls(w http.ResponseWriter, r *http.Request) {
//		caller, _ := keyhttp.From(r.Context())
//		… caller.UserID, caller.WorkspaceID …
//	}
//
// The package owns how a key is read from a request, and how a refusal is told. Whether a key is good the server says,
// for every request anew: a revocation is true for the next request, and limits are exact, over all services that ask
// the same server. The client's token is a service key with the scope verify.
//
// Where the server cannot be asked, or answers what is no verdict, nobody gets through: 503.
package keyhttp

import (
	"context"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/keyward/keyward"
)

// Guard asks one Keyward server about every request. It is safe for concurrent use.
type Guard struct {
	client  keyward.Verifier
	timeout time.Duration
	address func(*http.Request) string
	failed  func(*http.Request, error)
	expires func(*http.Request, keyward.Verdict)
	earlier func(*http.Request, keyward.Verdict)
	now     func() time.Time
	cache   *cache
	told    told

	environment keyward.Environment
	workspaces  []string
}

// Option sets something about a guard.
type Option func(*Guard)

// WithTimeout bounds how long a request waits for the server's answer, retries included; the default is two seconds.
func WithTimeout(d time.Duration) Option { return func(g *Guard) { g.timeout = d } }

// WithClientIP sets the function that returns a request's address, for keys that are bound to addresses. The default
// is the address of the connection. Behind a proxy that is the proxy's, and every such key is refused: read the field
// that your own proxy sets, and none that a client can set. The empty string is an unknown address.
func WithClientIP(address func(*http.Request) string) Option {
	return func(g *Guard) { g.address = address }
}

// WithOnError sets the function that is told why the server could not be asked. The error holds no key. The default
// logs it by slog.Default.
func WithOnError(failed func(*http.Request, error)) Option {
	return func(g *Guard) { g.failed = failed }
}

// WithOnExpiring sets the function that is told once for each key that the key expires within seven days. The default
// logs it by slog.Default.
func WithOnExpiring(expires func(*http.Request, keyward.Verdict)) Option {
	return func(g *Guard) { g.expires = expires }
}

// WithOnPreviousKey sets the function that is told once for each earlier value of a key that is still in use in the
// overlap after a rotation. The verdict's PreviousKeyExpiresAt says when the value ends. The default logs it by
// slog.Default.
func WithOnPreviousKey(earlier func(*http.Request, keyward.Verdict)) Option {
	return func(g *Guard) { g.earlier = earlier }
}

// WithNow sets the clock of Retry-After and of the cache; the default is time.Now.
func WithNow(now func() time.Time) Option { return func(g *Guard) { g.now = now } }

// WithEnvironment demands keys of one environment, "live" or "test": a key of the other is refused as an unknown one
// is. Give it always: without it a test key opens production.
func WithEnvironment(name keyward.Environment) Option { return func(g *Guard) { g.environment = name } }

// WithWorkspaces demands keys of one of the workspaces, by their ids: any other key is refused as an unknown one is. It
// panics where none is named, which is a list that went wrong.
func WithWorkspaces(ids ...string) Option {
	if len(ids) == 0 {
		panic("keyhttp: a workspace is demanded, and none is named")
	}
	return func(g *Guard) { g.workspaces = slices.Clone(ids) }
}

// longestCache bounds the age of cached answers.
const longestCache = time.Minute

// WithCache takes the answer VALID for the same key, demand and address as still true for maxAge, a minute at most, for
// as many answers as entries. It is off by default, because of what it costs:
//
//   - A key that is revoked, disabled, rotated or narrowed gets through for up to maxAge longer.
//   - Requests that are answered from the cache are not in the server's usage, nor in the key's lastUsedAt.
//
// What it does not cost: a key that expires is refused on time, and limits stay exact, since a key that has any is
// asked about for every request. Refusals are never taken from the cache. It holds digests of keys, no key.
func WithCache(maxAge time.Duration, entries int) Option {
	return func(g *Guard) {
		g.cache = nil
		if maxAge > 0 && entries > 0 {
			g.cache = newCache(min(maxAge, longestCache), entries)
		}
	}
}

// New makes a guard that asks with a client, or with a verifier of package verifier, which answers within the process.
func New(client keyward.Verifier, opts ...Option) *Guard {
	g := &Guard{client: client, timeout: 2 * time.Second, address: peer, now: time.Now}
	g.failed, g.expires, g.earlier = logFailure, g.logExpiry, g.logEarlier
	for _, opt := range opts {
		opt(g)
	}
	return g
}

// peer is the address of the connection.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || net.ParseIP(host) == nil {
		return "" // a Unix socket, or an address with a zone
	}
	return host
}

// Rule is the requirement of a request.
type Rule struct {
	// All has to be held, and, where Any is not nil, one of Any. Without either a key that is good is enough. An Any
	// that is empty but not nil cannot be met; Check panics.
	All, Any []string
	// Cost is the number of units that the request takes from the key's limits, 0 to 1000; nil is 1.
	Cost *int
}

// Require lets requests through whose key holds all of the permissions.
func (g *Guard) Require(permissions ...string) func(http.Handler) http.Handler {
	return g.Check(Rule{All: permissions})
}

// RequireAny lets requests through whose key holds at least one of the permissions. It panics where none is named: a
// key holds none of none, so that is a list which went wrong, and the service should not start with it.
func (g *Guard) RequireAny(permissions ...string) func(http.Handler) http.Handler {
	return g.Check(Rule{Any: append([]string{}, permissions...)})
}

// Check lets requests through that keep to a rule. It panics where the rule wants one permission out of none.
func (g *Guard) Check(rule Rule) func(http.Handler) http.Handler {
	if rule.Any != nil && len(rule.Any) == 0 {
		panic("keyhttp: the rule wants one permission out of none")
	}
	rule.All, rule.Any = slices.Clone(rule.All), slices.Clone(rule.Any)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			key, wrong := credential(r)
			if wrong != nil {
				refuse(w, r, *wrong)
				return
			}
			verdict, err := g.ask(r, key, rule)
			if err != nil {
				if g.failed != nil {
					g.failed(r, err)
				}
				refuse(w, r, unavailable)
				return
			}
			limitFields(w.Header(), verdict.RateLimit, g.now())
			if !verdict.Valid {
				refuse(w, r, refusalOf(verdict, rule, g.now()))
				return
			}
			g.warn(r, verdict)
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, verdict)))
		})
	}
}

type contextKey struct{}

// From returns the verdict on the request's key, which is VALID. It is false if no guard let the request through. The
// verdict is shared and must not be changed.
func From(ctx context.Context) (keyward.Verdict, bool) {
	v, ok := ctx.Value(contextKey{}).(keyward.Verdict)
	return v, ok
}

func (g *Guard) ask(r *http.Request, key string, rule Rule) (keyward.Verdict, error) {
	req := keyward.VerifyRequest{
		Key: key, Permissions: keyward.Demand{All: rule.All, Any: rule.Any}, Cost: rule.Cost, IP: g.address(r),
		Environment: g.environment, WorkspaceIDs: g.workspaces,
	}
	if g.cache != nil {
		if v, ok := g.cache.get(req, g.now()); ok {
			return v, nil
		}
	}
	asked := g.now()
	ctx, cancel := context.WithTimeout(r.Context(), g.timeout)
	defer cancel()
	v, err := g.client.Verify(ctx, req)
	if err == nil && g.cache != nil {
		g.cache.put(req, v, asked)
	}
	return v, err
}
