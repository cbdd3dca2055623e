package mcp

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/keyfmt"
)

// Path is where a server answers.
const Path = "/mcp"

const (
	maxBody       = 1 << 20
	sessionHeader = "Mcp-Session-Id"
)

// Door answers the protocol over streamable HTTP. It keeps no sessions: each request stands on the credential that it
// carries, and works on every node. It is safe for concurrent use.
type Door struct {
	api       http.Handler // answers the calls of tools, as those of every client
	publicURL string
	next      http.Handler
	version   string
}

// DoorConfig holds the parts of a Door.
type DoorConfig struct {
	API        http.Handler
	PublicURL  string // where browsers reach the server; "" where that is not set
	AllowWrite bool
	Version    string
	Logger     *slog.Logger
	Now        func() time.Time
}

// NewDoor makes a door.
func NewDoor(c DoorConfig) *Door {
	return newDoor(c, NewServer(Options{AllowWrite: c.AllowWrite, Version: c.Version, Now: c.Now}))
}

func newDoor(c DoorConfig, server *sdk.Server) *Door {
	return &Door{api: c.API, publicURL: c.PublicURL, version: c.Version, next: sdk.NewStreamableHTTPHandler(
		func(*http.Request) *sdk.Server { return server },
		&sdk.StreamableHTTPOptions{
			Stateless: true, Logger: c.Logger, MaxRequestBodyBytes: maxBody, PropagateRequestCancellation: true,
			DisableLocalhostProtection: true, // admits does it, and knows the public URL
		},
	)}
}

// ServeHTTP lets a request in by the place it comes from and by its credential, in that order.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w = screenResponse{w}
	if why := d.admits(r); why != "" {
		http.Error(w, why, http.StatusForbidden)
		return
	}
	token, ok := bearer(r.Header)
	if !ok {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "this needs a credential: Authorization: Bearer <key>", http.StatusUnauthorized)
		return
	}
	named := r.Header.Get(sessionHeader)
	if named != "" && !ofCredential(named, token) { // to a client it is a session that has ended
		http.Error(w, "no such session: begin a new one", http.StatusNotFound)
		return
	}
	inner := &inward{api: d.api, outer: r, requestID: w.Header().Get("X-Request-Id")}
	if !d.authenticate(w, inner, r) {
		return
	}
	switch {
	case r.Method == http.MethodDelete && named != "": // nothing is kept that could end
		w.WriteHeader(http.StatusNoContent)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST, DELETE")
		http.Error(w, "this endpoint takes POST", http.StatusMethodNotAllowed)
		return
	}
	client, err := keyward.New(
		"http://"+inwardHost, keyward.WithToken(token), keyward.WithHTTPClient(&http.Client{Transport: inner}),
		keyward.WithRetry(0), keyward.WithUserAgent("keyward-mcp/"+strings.ReplaceAll(d.version, " ", "")),
	)
	if err != nil {
		http.Error(w, "the credential has a form that no header carries", http.StatusBadRequest)
		return
	}
	if !single(w, r) {
		return
	}
	if named == "" && r.Header.Get("Mcp-Protocol-Version") == "" { // a client of a version that begins with a session
		w.Header().Set(sessionHeader, newSession(token))
	}
	d.next.ServeHTTP(w, r.WithContext(withClient(r.Context(), client)))
}

// admits refuses a page of a browser that is not ours, also one whose name was rebound to this address. It returns
// the reason, "" for none.
func (d *Door) admits(r *http.Request) string {
	if origin := r.Header.Get("Origin"); origin != "" && origin != d.publicURL && !loopbackOrigin(origin) {
		return "this origin may not call: KEYWARD_PUBLIC_URL names the one that may"
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil || !loopback(local.String()) || loopback(r.Host) {
		return ""
	}
	if u, err := url.Parse(d.publicURL); err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
		return ""
	}
	return "this host name is not one of this server: set KEYWARD_PUBLIC_URL to the one that clients use"
}

func loopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && loopback(u.Host)
}

// loopback tells whether a host, with or without a port, is this machine's own name or address.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	at, err := netip.ParseAddr(host)
	return err == nil && at.IsLoopback()
}

// authenticate asks the API whether the credential is one, for every request: no session outlives it. Every caller may
// ask this, and an API key pays for it as for each call.
func (d *Door) authenticate(w http.ResponseWriter, inner *inward, r *http.Request) bool {
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+inwardHost+"/api/v2/permissions",
		http.NoBody)
	if err != nil {
		http.Error(w, "the request cannot be read", http.StatusBadRequest)
		return false
	}
	ask.Header["Authorization"] = r.Header["Authorization"]
	ask.Header["X-Api-Key"] = r.Header["X-Api-Key"]
	answer, err := inner.RoundTrip(ask)
	if err != nil {
		http.Error(w, "the request was given up", http.StatusServiceUnavailable)
		return false
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return true
	}
	for _, name := range []string{"WWW-Authenticate", "Retry-After"} {
		if v := answer.Header.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	http.Error(w, "the credential is refused", answer.StatusCode)
	return false
}

// bearer reads the one credential of a request.
func bearer(h http.Header) (string, bool) {
	given := h.Values("Authorization")
	if len(given) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	token = strings.Trim(token, " ")
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// newSession makes a name for the session of a credential. Nothing of it is kept: the credential itself tells its own
// sessions from those of others.
func newSession(token string) string {
	var chance [16]byte
	_, _ = rand.Read(chance[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(append(chance[:], mark(chance[:], token)...))
}

func mark(chance []byte, token string) []byte {
	return keyfmt.MaterialOf(token).Key(string(chance), "keyward mcp session v1")
}

// ofCredential tells whether a session was begun with a credential.
func ofCredential(named, token string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(named)
	return err == nil && len(raw) == 48 && hmac.Equal(raw[16:], mark(raw[:16], token))
}

// single refuses a batch of messages: one request would be many calls. Only an early version of the protocol had them.
func single(w http.ResponseWriter, r *http.Request) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			http.Error(w, "the body is longer than 1 MiB", http.StatusRequestEntityTooLarge)
		} else {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
		}
		return false
	}
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		http.Error(w, "send one message in a request", http.StatusBadRequest)
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return true
}
