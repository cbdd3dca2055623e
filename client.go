package keyward

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

const apiBase = "/api/v2"

// modulePath is by what a program that imports the client knows it.
const modulePath = "github.com/keyward/keyward"

// defaultUserAgent names the client and its version, where the program's own build information has it.
var defaultUserAgent = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "keyward-go"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if version := strings.TrimPrefix(m.Version, "v"); m.Path == modulePath && version != "" && version != "(devel)" {
			return "keyward-go/" + version
		}
	}
	return "keyward-go"
})

// Client calls one Keyward server. It is safe for concurrent use and never changes after New.
type Client struct {
	base      string
	token     Secret
	userAgent string
	retries   int
	within    *string // the workspace that every call is about; nil for none
	http      *http.Client
	own       http.RoundTripper // nil with WithHTTPClient
}

// Format prints the server's address alone, with every verb: neither the token nor the state of connections, which
// other goroutines change.
func (c Client) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "keyward.Client(%s)", c.base) }

// LogValue gives log/slog the same.
func (c Client) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// Close closes the connections that are idle. Calls under way end by themselves, and a later call opens a connection
// again. The connections of WithHTTPClient stay as they are: they are its owner's.
func (c *Client) Close() {
	if t, ok := c.own.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Option sets something about a client.
type Option func(*Client) error

// WithToken sends a Bearer token with every call: a service key, an API key, or a person's token. It refuses a text
// that a header cannot carry.
func WithToken(token string) Option {
	return func(c *Client) error {
		if token == "" || !visible(token) {
			return errors.New("the token is empty or holds characters that a header cannot carry")
		}
		c.token = NewSecret(token)
		return nil
	}
}

// WithHTTPClient sends through a client of one's own: its transport, jar and timeout hold. Redirects stay refused. A
// timeout there also ends the stream of ExportLogs.
func WithHTTPClient(hc *http.Client) Option {
	return func(c *Client) error {
		if hc == nil {
			return errors.New("the HTTP client is nil")
		}
		own := *hc
		c.http = &own
		return nil
	}
}

// WithUserAgent names the program in the User-Agent field; the default is "keyward-go/" and the version of
// the module.
func WithUserAgent(name string) Option {
	return func(c *Client) error {
		if name == "" || !visible(strings.ReplaceAll(name, " ", "")) {
			return errors.New("the user agent is empty or holds characters that a header cannot carry")
		}
		c.userAgent = name
		return nil
	}
}

// WithRetry sets how often a call is sent again, at most, after a 429 or 503, or where the connection failed; the
// default is 3, and 0 never does. What is sent again is what package documentation says under Retries. A wait that
// would outlive the call's context, or that the server wants longer than a minute, is not begun: the refusal is
// returned, with its RetryAfter.
func WithRetry(maxRetries int) Option {
	return func(c *Client) error {
		if maxRetries < 0 {
			return fmt.Errorf("retries: %d is negative", maxRetries)
		}
		c.retries = maxRetries
		return nil
	}
}

// New makes a client of the server at baseURL, "https://keys.example.com" for instance; a path in it is put before
// every operation's own. It refuses a URL that is not http or https, or that holds a user, a query or a fragment. It
// does not call.
func New(baseURL string, opts ...Option) (*Client, error) {
	base, err := cleanBase(baseURL)
	if err != nil {
		return nil, fmt.Errorf("keyward: %w", err)
	}
	c := &Client{base: base, userAgent: defaultUserAgent(), retries: defaultRetries}
	for _, opt := range opts {
		if err := opt(c); err != nil {
			return nil, fmt.Errorf("keyward: %w", err)
		}
	}
	if c.http == nil {
		c.own = newTransport()
		c.http = &http.Client{Transport: c.own}
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// cleanBase does not repeat a refused URL: it can hold a password.
func cleanBase(baseURL string) (string, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return "", errors.New("the base URL cannot be parsed")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("the base URL is not http or https")
	case u.Hostname() == "":
		return "", errors.New("the base URL names no host")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("the base URL holds a user, a query or a fragment")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// newTransport is the standard one with two changes. Idle connections close before a server's own idle limit of a
// minute would, so that a POST, which cannot be resent, does not meet a closing one; and a server that never answers is
// given up.
func newTransport() http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t := standard.Clone()
	t.IdleConnTimeout = 30 * time.Second
	t.ResponseHeaderTimeout = 30 * time.Second
	t.MaxIdleConnsPerHost = 32
	return t
}

func visible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
