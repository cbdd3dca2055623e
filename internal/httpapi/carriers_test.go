package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/session"
)

// carried are the forms of credential that may be in the URL of a request, and the part of each that no answer and no
// log may show.
func carried(h *house, key string) map[string]string {
	return map[string]string{
		"an API key":          key,
		"a test key":          wellFormedKey,
		"a service key":       h.root,
		"a session's token":   credentials["a session token"],
		"a sign-in code":      credentials["a sign-in code"],
		"a key cut short":     key[:30],
		"a token cut short":   credentials["a session token"][:40],
		"a code with more":    credentials["a sign-in code"] + "xyz",
		"a code in some text": "see-" + credentials["a sign-in code"],
	}
}

// escapes spell a text in ways in which a URL may carry it.
var escapes = map[string]func(string) string{
	"as it is":          func(s string) string { return s },
	"underscores":       func(s string) string { return strings.ReplaceAll(s, "_", "%5F") },
	"one letter":        func(s string) string { return strings.Replace(s, s[:1], "%"+hex(s[0]), 1) },
	"every character":   escaped,
	"in lower-case":     func(s string) string { return strings.ToLower(escaped(s[:4])) + s[4:] },
	"with an ampersand": func(s string) string { return s + "&next=1" },
}

func hex(c byte) string { return string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]) }

func escaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteString("%" + hex(s[i]))
	}
	return b.String()
}

// T17, T18: for every credential in the URL of a request that a proxy asks about, the answer is 400, no key is looked
// up and no part of it is shown or written down. The same holds for the check's own query.
func TestT17T18ACredentialInAForwardedURLIsRefusedAndNotShown(t *testing.T) {
	t.Parallel()
	h, key, _ := proxied(t, shopRoutes)
	tried := 0
	for what, value := range carried(h, key) {
		for how, spell := range escapes {
			in := spell(value)
			places := map[string]func(method string) answer{
				"the forwarded query": func(m string) answer { return h.ask(key, m, "/v1/calls/1?next="+in) },
				"a forwarded name":    func(m string) answer { return h.ask(key, m, "/v1/calls/1?"+in) },
				"X-Original-URI": func(m string) answer {
					return h.ask(key, "", "", header("X-Original-Method", m), header("X-Original-URI", "/v1/calls/1?a=1&b="+in))
				},
				"a public route":      func(string) answer { return h.ask("", "PATCH", "/status?x="+in) },
				"the check's query":   func(string) answer { return h.do("GET", "/check?x="+in, key, "", from(proxy)) },
				"a check's parameter": func(string) answer { return h.do("GET", "/check?permission="+in, key, "", from(proxy)) },
			}
			if !strings.Contains(in, "&") {
				places["the forwarded path"] = func(m string) answer { return h.ask(key, m, "/v1/calls/"+in) }
				places["the middle of the path"] = func(m string) answer { return h.ask(key, m, "/v1/me/x-"+in+"/y") }
			}
			for place, ask := range places {
				tried++
				a := ask("GET")
				if a.Code != http.StatusBadRequest || showsAny(a.Body.String(), value) {
					t.Errorf("%s in %s, %s: %d %s", what, place, how, a.Code, a.Body)
				}
				for name, values := range a.Header() {
					if showsAny(strings.Join(values, " "), value) || strings.HasPrefix(name, "X-Keyward-") && values[0] != "" {
						t.Errorf("%s in %s, %s: %s is %q", what, place, how, name, values)
					}
				}
			}
		}
		if showsAny(h.log.String(), value) {
			t.Errorf("%s is in the log", what)
		}
	}
	if tried < 300 {
		t.Errorf("%d tries", tried)
	}
}

// showsAny tells whether a text holds the part of a credential that has to stay secret, or a good piece of it.
func showsAny(text, credential string) bool {
	body := credential[strings.LastIndex(credential, "_")+1:]
	plain, err := url.QueryUnescape(text)
	if err != nil {
		plain = text
	}
	return strings.Contains(text, body[:16]) || strings.Contains(plain, body[:16]) ||
		strings.Contains(text, escaped(body[:16]))
}

// T17, T18: headers that wrongly hold credentials are neither shown nor written down, by any listener's answer and
// for any request.
func TestT17T18ACredentialInAnyHeaderIsNotShown(t *testing.T) {
	t.Parallel()
	h, key, _ := proxied(t, shopRoutes)
	names := []string{
		"Referer", "Origin", "Cookie", "User-Agent", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host",
		"X-Forwarded-Proto", "X-Forwarded-Method", "X-Original-Method", "X-Original-URL", "X-Rewrite-URL", "X-Api-Key",
		"Authorization", "Forwarded", "Via", "Access-Control-Request-Method", "Access-Control-Request-Headers",
		"Idempotency-Key", "Accept", "Content-Type", "X-Nothing",
	}
	for what, value := range carried(h, key) {
		for _, name := range names {
			shape := value
			if name == "X-Request-Id" && !session.Leaks(value) {
				continue // a word of which nothing can be made is repeated as it came
			}
			switch name {
			case "Referer", "Origin", "X-Original-URL", "X-Rewrite-URL":
				shape = "https://example.com/?k=" + value
			}
			for _, target := range []string{"GET /check", "GET /api/v2/api-keys", "POST /api/v2/api-keys/verify", "GET /nothing",
				"GET /", "GET /docs",
				"PUT /api/v2/api-keys", "GET /api/v2/workspaces/logs"} {
				method, path, _ := strings.Cut(target, " ")
				a := h.do(method, path, "", `{"apiKeys":[]}`, from(proxy), header(name, shape))
				if showsAny(a.Body.String()+headersOf(a), value) && name != "Origin" {
					t.Errorf("%s in %s of %s: %d %s %s", what, name, target, a.Code, headersOf(a), a.Body)
				}
			}
		}
		if showsAny(h.log.String(), value) {
			t.Errorf("%s is in the log", what)
		}
	}
}

func headersOf(a answer) string {
	var b strings.Builder
	_ = a.Header().Write(&b)
	return b.String()
}
