package acceptance_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"testing"
)

// The conformance tool of the protocol runs against the product. It sends no credential, so a proxy adds one, and
// leaves host and origin as they are. test/mcp/product.yaml lists the scenarios that want tools of the tool's own; they
// run against such tools behind the same door in internal/mcp.
func TestTheToolsOfAgentsConformToTheProtocol(t *testing.T) {
	t.Parallel()
	a := beginAgents(t)
	target, err := url.Parse(a.p.url)
	must(t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("Authorization", "Bearer "+a.ada)
	}, Transport: &http.Transport{DisableKeepAlives: true}})
	t.Cleanup(proxy.Close)
	ctx, stop := context.WithTimeout(context.Background(), 2*patience)
	defer stop()
	c := exec.CommandContext(ctx, "../../sdk/typescript/runtimes/node_modules/node22/bin/node",
		"../../test/mcp/node_modules/@modelcontextprotocol/conformance/dist/index.js", "server",
		"--url", proxy.URL+"/mcp", "--suite", "all", "--expected-failures", "../../test/mcp/product.yaml")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
