package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/canonpath"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/routes"
)

// Probe is a question through the gateway: a URL of the API behind it and a key that may get it. Table is the server's,
// where it has one.
type Probe struct {
	URL    string
	Key    keyfmt.Secret
	Bound  Bound // the zero value asks nothing about addresses
	Table  *routes.Table
	Client *http.Client
}

// headersOf is what a proxy must say for whom it asks, and where the recipes are.
const headersOf = "have the proxy send X-Forwarded-Method, X-Forwarded-Uri and X-Forwarded-For (nginx: " +
	"X-Original-Method, X-Original-URI) with its question, " +
	"and name its address in KEYWARD_TRUSTED_PROXIES; `keyward gateway` prints the configuration"

// Gateway asks for the URL through the proxy that stands in front of it, as its clients do: without a key, with words
// that only a proxy may say, with a key that is none, with the key, and with one that is bound to another address.
func Gateway(ctx context.Context, p Probe) (all []Finding) {
	u, err := url.Parse(p.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return []Finding{{Fail, "gateway", fmt.Sprintf("%q is no URL", p.URL), "nothing can be asked",
			"give one such as https://api.example.com/v1/calls"}}
	}
	rule, known := p.rule(u)
	without, err := p.ask(ctx, "", nil)
	if err != nil {
		return []Finding{unreached(err)}
	}
	if known && rule != nil && rule.Public {
		return []Finding{{Warn, "gateway",
			fmt.Sprintf("the route table makes GET %s public, and without a key it is answered %d", u.EscapedPath(), without),
			"this URL shows nothing about keys", "give one that needs a key"}}
	}
	switch {
	case without >= 500:
		all = append(all, Finding{Fail, "gateway", fmt.Sprintf("answers %d without a key", without),
			"nginx makes 500 of what auth_request does not know, and a client cannot tell why",
			"look at the proxy's log; with nginx ask /check?deny_status=403"})
	case without != http.StatusUnauthorized && without != http.StatusForbidden:
		all = append(all, Finding{Fail, "gateway", fmt.Sprintf("answers %d without a key", without),
			"the proxy asks nobody whether the request may pass, or takes no heed of the answer",
			"have it ask /check for this path; `keyward gateway` prints the configuration"})
	default:
		all = append(all, ok("gateway", "refuses a request without a key (%d)", without))
	}
	all = append(all, p.forged(ctx, without)...)
	all = append(all, p.withKey(ctx, u, rule, known)...)
	return append(all, p.addresses(ctx)...)
}

// forged says words that only a proxy may say.
func (p Probe) forged(ctx context.Context, without int) []Finding {
	open := p.open()
	status, err := p.ask(ctx, "", http.Header{
		"X-Keyward-Key-Id": {"forged"}, "X-Keyward-Permissions": {"*"}, "X-Keyward-Status": {"200"},
		"X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {open}, "X-Original-Method": {"GET"}, "X-Original-Uri": {open},
	})
	switch {
	case err != nil:
		return []Finding{unreached(err)}
	case status < 400 && without >= 400:
		return []Finding{{Fail, "gateway",
			fmt.Sprintf("answers %d to a client that says X-Forwarded-Uri and X-Keyward-Key-Id itself", status),
			"each client chooses what is asked about it", "have the proxy overwrite these headers, as the recipes do"}}
	}
	return []Finding{ok("gateway", "takes no word of a client that only a proxy may say (%d)", status)}
}

// open is a path for which the table wants no key, where it has one.
func (p Probe) open() string {
	if p.Table != nil {
		for _, r := range p.Table.Routes() {
			if r.Public && !strings.ContainsAny(r.Path, "{*") && (slices.Contains(r.Methods, http.MethodGet) ||
				slices.Contains(r.Methods, routes.AnyMethod)) {
				return r.Path
			}
		}
	}
	return "/healthz"
}

func (p Probe) withKey(ctx context.Context, u *url.URL, rule *routes.Route, known bool) (all []Finding) {
	if p.Key.IsZero() {
		return []Finding{{Warn, "gateway", "nothing was asked with a key", "whether a good key passes is not known",
			"name a file with one: --key-file"}}
	}
	wrong, err := p.ask(ctx, p.Key.Reveal()+"x", nil)
	if err == nil && wrong < 400 {
		all = append(all, Finding{Fail, "gateway", fmt.Sprintf("answers %d to a key that is none", wrong),
			"every text passes as a key", "have the proxy pass Authorization on to /check"})
	}
	status, err := p.ask(ctx, p.Key.Reveal(), nil)
	if err != nil {
		return append(all, unreached(err))
	}
	f := Finding{Fail, "gateway", fmt.Sprintf("answers %d with the key", status), "a good key does not pass", headersOf}
	switch {
	case status == http.StatusUnauthorized:
		f.Do = "have the proxy pass Authorization (or X-API-Key) on to /check, and see with `keyward verify` whether the " +
			"key is good"
	case status == http.StatusTooManyRequests:
		f.Level, f.Why, f.Do = Warn, "the key's limit is reached", "use another key"
	case status == http.StatusForbidden && known && rule == nil:
		f.What += fmt.Sprintf(", and no rule of the route table is for GET %s", u.EscapedPath())
		f.Do = "add a rule, or ask for another URL: keyward routes explain 'GET " + u.EscapedPath() + "'"
	case status == http.StatusForbidden && known:
		f.What += fmt.Sprintf(", although the route table has a rule for GET %s (%s)", u.EscapedPath(), rule.Path)
		f.Why = "the proxy does not say for which request it asks, its word is not believed, or the key lacks what the " +
			"rule demands"
	case status == http.StatusForbidden:
		f.Why = "the key lacks a permission or is bound to networks, and the proxy does not say which client asks"
	case status >= 500:
		f.Why, f.Do = "the proxy or the API behind it failed", "look at the proxy's log; /readyz says whether Keyward answers"
	default:
		return append(all, ok("gateway", "lets a good key pass (%d)", status))
	}
	return append(all, f)
}

// rule is the table's for a GET of the URL; known is false without a table.
func (p Probe) rule(u *url.URL) (rule *routes.Route, known bool) {
	if p.Table == nil {
		return nil, false
	}
	if !canonpath.Open(u.EscapedPath()) {
		return nil, true
	}
	return p.Table.Match(http.MethodGet, u.EscapedPath()), true
}

func (p Probe) ask(ctx context.Context, key string, head http.Header) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return 0, err
	}
	if head != nil {
		r.Header = head
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	client := http.Client{Transport: p.Client.Transport, CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return http.ErrUseLastResponse
	}}
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}
