package httpapi

import (
	"maps"
	"net/http"
	"slices"

	"github.com/keyward/keyward/internal/fault"
)

func (a *api) health(*exchange) (any, error) { return map[string]string{"status": "ok"}, nil }

// ready answers 503 where verifications cannot be answered, so that a balancer looks elsewhere.
func (a *api) ready(x *exchange) (any, error) {
	ok, body := a.Ready(x.ctx())
	if ok {
		return body, nil
	}
	f := fault.New(fault.Unavailable, "this node cannot answer verifications now")
	if facts, ok := body.(map[string]string); ok {
		for _, name := range slices.Sorted(maps.Keys(facts)) {
			f.Details = append(f.Details, fault.Detail{Field: name, Message: facts[name]})
		}
	}
	return nil, f
}

func (a *api) metrics(x *exchange) error {
	a.Metrics.ServeHTTP(x.w, x.r)
	return nil
}

func (a *api) openapi(x *exchange) error { return x.file(jsonType, a.OpenAPI) }

func (a *api) docs(x *exchange) error { return x.reference(a.Reference[""]) }

// docsFile gives a page of the reference, its style or its script.
func (a *api) docsFile(x *exchange) error {
	switch name := x.r.PathValue("file"); name {
	case "":
		return noRoute()
	case "style.css":
		return x.file("text/css; charset=utf-8", a.Stylesheet)
	case "docs.js":
		return x.file("text/javascript; charset=utf-8", a.Script)
	default:
		return x.reference(a.Reference[name])
	}
}

func (a *api) front(x *exchange) error {
	if x.servePage(x.r) {
		return nil
	}
	return x.page([]byte(frontPage))
}

const frontPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Keyward</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/docs/style.css">
<main>
<h1>Keyward</h1>
<p>API keys: issued, verified, limited and revoked.</p>
<p><a href="/signin">Sign in</a> · <a href="/docs">The API, for people</a> · <a href="/openapi.json">and for machines</a></p>
</main>
</html>
`

// file answers with a built-in file, which may be empty.
func (x *exchange) file(contentType string, content []byte) error {
	if len(content) == 0 {
		return noRoute()
	}
	x.send(http.StatusOK, contentType, content)
	return nil
}

// page answers with HTML that may load our own style and images, and nothing else.
func (x *exchange) page(html []byte) error { return x.html(html, "") }

// reference is page for HTML that may also load our own script, which may ask this server alone.
func (x *exchange) reference(html []byte) error {
	return x.html(html, "script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; ")
}

func (x *exchange) html(html []byte, more string) error {
	if len(html) == 0 {
		return noRoute()
	}
	x.strictTransport()
	x.w.Header().Set("Content-Security-Policy", "default-src 'none'; "+more+
		"style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	return x.file("text/html; charset=utf-8", html)
}
