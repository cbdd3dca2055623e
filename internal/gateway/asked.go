package gateway

import (
	"net/netip"
	"strings"

	"github.com/keyward/keyward/internal/canonpath"
	"github.com/keyward/keyward/internal/fault"
)

// Asked is one question of a proxy, as a door has seen it. The zero value is empty; it may be used again after Reset.
// Header is called once for every line of the header, in any order; its arguments are kept until Reset.
type Asked struct {
	Peer  netip.Addr // who is connected, or, where a proxy itself says for whom it asks (gRPC), who is connected to that
	Query string     // of the check itself, as it was sent
	// Method and Target, where Direct is set, are the request's own words as the protocol carries them (gRPC), and no
	// headers are looked at for them.
	Direct bool
	Method string
	Target string

	authorization, apiKey         slot
	forwardedMethod, forwardedURI slot
	originalMethod, originalURI   slot
	// Origin and Access-Control-Request-Method: what a browser says of the page that asks
	origin, requestMethod slot
	override              bool // a header that some servers take for another method
	forwardedFor          []string
	alias                 bool
	permissions           bool // permission= stands in the query
}

// slot is a header that must stand once: its value, and how often it stands.
type slot struct {
	value string
	times int
}

func (s *slot) add(value string) { s.value, s.times = value, s.times+1 }

// Reset forgets the question, and keeps the memory.
func (a *Asked) Reset() { *a = Asked{forwardedFor: a.forwardedFor[:0]} }

// Header is told one line of the header. Names count without their case. It allocates nothing for most lines.
func (a *Asked) Header(name, value string) {
	if !plainName(name) {
		a.alias = a.alias || isAlias(name)
		return
	}
	if to := a.slotOf(name); to != nil {
		to.add(value)
		return
	}
	if len(name) == len("X-Forwarded-For") && strings.EqualFold(name, "X-Forwarded-For") {
		a.forwardedFor = append(a.forwardedFor, value)
	}
}

// slotOf finds the slot of a name, by its length first: nearly all headers end there.
func (a *Asked) slotOf(name string) *slot {
	is := func(want string, s *slot) *slot {
		if strings.EqualFold(name, want) {
			return s
		}
		return nil
	}
	switch len(name) {
	case len("Origin"):
		return is("Origin", &a.origin)
	case len("X-API-Key"):
		return is("X-API-Key", &a.apiKey)
	case len("Authorization"): // and X-HTTP-Method
		a.override = a.override || strings.EqualFold(name, "X-HTTP-Method")
		return is("Authorization", &a.authorization)
	case len("X-Original-URI"):
		return is("X-Original-URI", &a.originalURI)
	case len("X-Forwarded-Uri"):
		return is("X-Forwarded-Uri", &a.forwardedURI)
	case len("X-Original-Method"): // and X-Method-Override
		a.override = a.override || strings.EqualFold(name, "X-Method-Override")
		return is("X-Original-Method", &a.originalMethod)
	case len("X-Forwarded-Method"):
		return is("X-Forwarded-Method", &a.forwardedMethod)
	case len("X-HTTP-Method-Override"):
		a.override = a.override || strings.EqualFold(name, "X-HTTP-Method-Override")
	case len("Access-Control-Request-Method"):
		return is("Access-Control-Request-Method", &a.requestMethod)
	}
	return nil
}

// plainName: letters, digits and hyphens, as all names that mean something here.
func plainName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c != '-' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// guarded are names, or beginnings of names that end in a hyphen, that a proxy or a server behind it trusts.
var guarded = []string{
	"x-forwarded-", "x-original-", "x-keyward-", "authorization", "x-api-key", "x-real-ip", "forwarded",
}

// isAlias tells whether a name becomes a guarded one where a server takes every other character for a hyphen, as CGI,
// WSGI and PHP do: X_Forwarded_Proto reads as X-Forwarded-Proto there.
func isAlias(name string) bool {
	b := []byte(strings.ToLower(name))
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			b[i] = '-'
		}
	}
	for _, g := range guarded {
		if string(b) == g || strings.HasSuffix(g, "-") && strings.HasPrefix(string(b), g) {
			return true
		}
	}
	return false
}

// token reads the one key of a request, "" for none. Two that differ are refused, since the server behind could take
// the other one.
func (a *Asked) token() (string, *fault.Error) {
	switch {
	case a.authorization.times > 1:
		return "", fault.Invalid("Authorization", "stands more than once")
	case a.apiKey.times > 1:
		return "", fault.Invalid("X-API-Key", "stands more than once")
	}
	given, token := strings.Trim(a.authorization.value, " \t"), ""
	if scheme, rest, _ := strings.Cut(given, " "); strings.EqualFold(scheme, "Bearer") {
		token = strings.Trim(rest, " ")
	}
	other := strings.Trim(a.apiKey.value, " \t")
	switch {
	case given == "":
		return other, nil
	case other != "" && other != token:
		return "", fault.Invalid("X-API-Key", "differs from the credential in Authorization")
	}
	return token, nil
}

// target is the request that a proxy asks about, as far as trusted headers describe it.
type target struct{ method, path string }

func (t target) whole() bool { return t.method != "" && t.path != "" }

// target reads the forwarded request. Missing parts are left empty; a part that is given in two ways, or cannot be
// read in one, is refused.
func (g *Gate) target(a *Asked, trusted bool) (t target, f *fault.Error) {
	method, uri := a.Method, a.Target
	if !a.Direct {
		if !trusted {
			return t, nil
		}
		if method, f = agreed("X-Forwarded-Method", a.forwardedMethod, "X-Original-Method", a.originalMethod); f != nil {
			return t, f
		}
		if uri, f = agreed("X-Forwarded-Uri", a.forwardedURI, "X-Original-URI", a.originalURI); f != nil {
			return t, f
		}
	}
	if !validMethod(method) {
		return t, fault.Invalid("method", "is not one of HTTP")
	}
	t.method = method
	if uri == "" {
		return t, nil
	}
	path, query, _ := strings.Cut(uri, "?")
	if !canonpath.Open(path) {
		return t, fault.Invalid("path", "is not in canonical form")
	}
	if g.looks.inPath(path) {
		return t, KeyInURL("path")
	}
	if g.looks.inQuery(query) {
		return t, KeyInURL("query")
	}
	t.path = path
	return t, nil
}

// agreed reads one value that may come under two names. Where both stand they must say the same: the one that the proxy
// sets is believed, and which that is, is not known here.
func agreed(name string, s slot, other string, o slot) (string, *fault.Error) {
	switch {
	case s.times > 1:
		return "", fault.Invalid(name, "stands more than once")
	case o.times > 1:
		return "", fault.Invalid(other, "stands more than once")
	case s.value != "" && o.value != "" && s.value != o.value:
		return "", fault.Invalid(name, "differs from %s", other)
	case s.value == "":
		return o.value, nil
	}
	return s.value, nil
}

// validMethod: a token in upper case, or nothing where none was told. Methods know upper and lower case (RFC 9110,
// section 9.1), and a server that does not would take get for GET.
func validMethod(m string) bool {
	for i := 0; i < len(m); i++ {
		if c := m[i]; c != '-' && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(m) <= 32
}

// client is the address that presented the key; zero if it is not known. A trusted proxy that does not name its
// client is not taken for the client: a header can be stripped on the way (CVE-2024-45410), and the proxy's own
// address may be one that a key allows.
func (a *Asked) client(networks []netip.Prefix, trusted bool) netip.Addr {
	if trusted && len(a.forwardedFor) == 0 {
		return netip.Addr{}
	}
	return ClientAddress(a.Peer, networks, a.forwardedFor)
}
