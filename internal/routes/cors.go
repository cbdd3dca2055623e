package routes

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/keyward/keyward/internal/strictyaml"
)

// CORS says which web pages of other origins may use a route (Fetch standard, section 3.2, "CORS protocol").
type CORS struct {
	Origins []string // as browsers send them, such as https://app.example.com; AnyOrigin alone for every origin
	// Gateway reports that the gateway answers preflight requests. Otherwise the API behind it answers them, without a
	// key.
	Gateway bool
	Headers []string // request headers that a preflight answer allows; used with Gateway
	MaxAge  int      // seconds for which browsers may keep a preflight answer; used with Gateway
}

// AnyOrigin stands for every origin.
const AnyOrigin = "*"

const (
	maxOrigins    = 64
	maxPreflight  = 86_400 // seconds
	usualMaxAge   = 600    // seconds
	maxHeaderName = 64     // bytes
)

// usualHeaders are the request headers that a client of an API with keys sends.
func usualHeaders() []string {
	return []string{"Authorization", "Content-Type", "X-API-Key", "Idempotency-Key"}
}

// Allow returns the value of Access-Control-Allow-Origin for an Origin header, "" for an origin that is not allowed.
func (c *CORS) Allow(origin string) string {
	switch {
	case c == nil || origin == "":
		return ""
	case c.Origins[0] == AnyOrigin:
		return AnyOrigin
	case slices.Contains(c.Origins, origin):
		return origin
	}
	return ""
}

// Says describes the rule for people.
func (c *CORS) Says() string {
	who := "the API answers preflight requests"
	if c.Gateway {
		who = "the gateway answers preflight requests"
	}
	return "pages of " + strings.Join(c.Origins, ", ") + "; " + who
}

func (p reader) cors(n *yaml.Node) (*CORS, error) {
	if n == nil {
		return nil, nil
	}
	if err := p.Plain(n); err != nil {
		return nil, err
	}
	if n.Kind != yaml.MappingNode {
		return nil, p.At(n, "cors: want {origins: [https://app.example.com]}, not %s", strictyaml.Kind(n))
	}
	m, err := p.Members(n, "origins", "preflight", "headers", "maxAge")
	if err != nil {
		return nil, err
	}
	c := &CORS{Headers: usualHeaders(), MaxAge: usualMaxAge}
	if m["origins"] == nil {
		return nil, p.At(n, "cors: there is no origins")
	}
	if c.Origins, err = p.origins(m["origins"]); err != nil {
		return nil, err
	}
	if c.Gateway, err = p.preflight(m["preflight"]); err != nil {
		return nil, err
	}
	for _, name := range []string{"headers", "maxAge"} {
		if m[name] != nil && !c.Gateway {
			return nil, p.At(m[name], "%s: is used with preflight: gateway only", name)
		}
	}
	if m["headers"] != nil {
		if c.Headers, err = p.headers(m["headers"]); err != nil {
			return nil, err
		}
	}
	if age := m["maxAge"]; age != nil {
		seconds, err := strconv.Atoi(age.Value)
		if age.Kind != yaml.ScalarNode || age.ShortTag() != "!!int" || err != nil || seconds < 0 || seconds > maxPreflight {
			return nil, p.At(age, "maxAge: want a whole number of seconds from 0 to %d", maxPreflight)
		}
		c.MaxAge = seconds
	}
	return c, nil
}

func (p reader) origins(n *yaml.Node) ([]string, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, p.At(n, "origins: want a list, not %s", strictyaml.Kind(n))
	}
	origins, places, err := p.texts("origins", n)
	if err != nil {
		return nil, err
	}
	if len(origins) == 0 || len(origins) > maxOrigins {
		return nil, p.At(n, "origins: want 1 to %d origins", maxOrigins)
	}
	for i, origin := range origins {
		switch {
		case origin == AnyOrigin && len(origins) > 1:
			return nil, p.At(places[i], "origins: '*' is every origin, and stands alone")
		case origin != AnyOrigin && !IsOrigin(origin):
			return nil, p.At(
				places[i], "origins: %q: want scheme://host or scheme://host:port in lower case, as browsers send it", origin,
			)
		case slices.Contains(origins[:i], origin):
			return nil, p.At(places[i], "origins: %s stands twice", origin)
		}
	}
	return origins, nil
}

// IsOrigin reports whether s is the serialisation of an http or https origin (HTML standard, "origin"): lower case,
// without a default port, a path or a slash at the end.
func IsOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Hostname() == "" {
		return false
	}
	usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	port := u.Port()
	if strings.HasSuffix(u.Host, ":") || port == usual ||
		strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '*' }) {
		return false
	}
	return s == u.Scheme+"://"+u.Host && s == strings.ToLower(s)
}

func (p reader) preflight(n *yaml.Node) (gateway bool, err error) {
	if n == nil {
		return false, nil
	}
	if !strictyaml.IsText(n) || n.Value != "backend" && n.Value != "gateway" {
		return false, p.At(n, "preflight: want backend or gateway")
	}
	return n.Value == "gateway", nil
}

func (p reader) headers(n *yaml.Node) ([]string, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, p.At(n, "headers: want a list, not %s", strictyaml.Kind(n))
	}
	names, places, err := p.texts("headers", n)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		if !isHeaderName(name) {
			return nil, p.At(places[i], "headers: %q: want the name of a header", name)
		}
	}
	return names, nil
}

func isHeaderName(s string) bool {
	return s != "" && len(s) <= maxHeaderName && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}
