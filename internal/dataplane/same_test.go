package dataplane_test

import (
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

const (
	one  = "/api/v2/api-keys/verify"
	many = "/api/v2/api-keys/verify-batch"
)

// corpus holds requests of clients, good and bad, by their special feature.
func (h *house) corpus() map[string][]string {
	good := `{"key":"` + h.value + `","permissions":["calls:read"]}`
	c := map[string][]string{
		"usual": {h.verify(one, good)},
		"pipelined": {
			h.verify(one, good) + h.verify(one, `{"key":"x"}`) + h.verify(many, `{"items":[`+good+`,{"key":"y"}]}`),
		},
		"in two parts":       {h.verify(one, good)[:60], h.verify(one, good)[60:]},
		"head, then body":    {strings.TrimSuffix(h.verify(one, good), good), good},
		"a wrong one midway": {h.verify(one, good) + h.verify(one, `{"Key":"x"}`) + h.verify(one, good)},
		"chunked": {
			"POST " + one + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + h.root +
				"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
				"5;ext=1\r\n{\"key\r\n6\r\n\":\"x\"}\r\n0\r\n\r\n",
		},
		"broken chunks": {
			"POST " + one + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + h.root +
				"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		},
		"CL.TE": {
			strings.Replace(
				h.verify(one, "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"), "Host: h\r\n",
				"Host: h\r\nTransfer-Encoding: chunked\r\n", 1,
			),
		},
		"a body cut off": {h.verify(one, good)[:len(h.verify(one, good))-5]},
		"a head cut off": {h.verify(one, good)[:80]},
		"nothing":        {""},
		"a large head":   {h.verify(one, good, "X-Long: "+strings.Repeat("x", 6<<10))},
		"too large":      {h.verify(one, good, "X-Long: "+strings.Repeat("x", 24<<10))},
		"an announced gigabyte": {"POST " + one + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + h.root +
			"\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n{"},
		"a wrong method":      {"GET " + one + " HTTP/1.1\r\nHost: h\r\n\r\n"},
		"a query":             {h.verify(one+"?a=b", good)},
		"a key in the URL":    {h.verify(one+"?key="+h.value, good)},
		"CR LF behind a body": {h.verify(one, good) + "\r\n" + h.verify(one, good)},
		"CR LF behind two bodies": {
			h.verify(one, good) + "\r\n" + h.verify(many, `{"items":[`+good+`]}`) + "\r\n",
			"GET /check HTTP/1.1\r\nHost: h\r\n\r\n",
		},
		"CR, then LF behind a body":       {h.verify(one, good) + "\r", "\n" + h.verify(one, good)},
		"two lines behind a body":         {h.verify(one, good) + "\r\n\r\n" + h.verify(one, good)},
		"three lines behind a body":       {h.verify(one, good) + "\r\n\r\n\r\n" + h.verify(one, good)},
		"LF alone behind a body":          {h.verify(one, good) + "\n\n\n\n" + h.verify(one, good)},
		"CR LF behind a body and no more": {h.verify(one, good) + "\r\n"},
		"a line before all":               {"\r\n" + h.verify(one, good)},
		"a line behind a check": {
			"GET /check HTTP/1.1\r\nHost: h\r\nX-API-Key: " + h.value + "\r\n\r\n\r\n" + h.verify(one, good),
		},
		"a blank behind a body":          {h.verify(one, good) + " " + h.verify(one, good)},
		"CR LF before what is not plain": {h.verify(one, good) + "\r\n" + h.verify(one, good, "Expect: nothing")},
		"Expect by a wrong key": {
			strings.Replace(h.verify(one, good, "Expect: 100-continue"), h.root, h.root[:len(h.root)-1]+"!", 1),
		},
		"Expect": {h.verify(one, good, "Expect: 100-continue")},
		"a wrong key, and a body cut off": {
			strings.TrimSuffix(strings.Replace(h.verify(one, good), h.root, h.root[:len(h.root)-1]+"!", 1), `"]}`),
		},
		"a proxy's check": {
			"GET /check?permission=calls:read HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + h.value + "\r\n\r\n",
		},
		"a check of an environment": {
			"GET /check?environment=live&workspaceId=00000000-0000-7000-8000-00000000000c HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + h.value + "\r\n\r\n",
		},
		"a check of live keys": {
			"GET /check?environment=live HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + h.value + "\r\n\r\n",
		},
		"a check of test keys": {
			"GET /check?environment=test HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + h.value + "\r\n\r\n",
		},
		"a refused check": {
			"GET /check?permission=calls:write HTTP/1.1\r\nHost: h\r\nX-API-Key: " + h.value + "\r\n\r\n",
		},
		"a check of a public proxy": {
			"GET /check HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.9\r\nX-Request-Id: mine-2\r\nAuthorization: Bearer " +
				h.value + "\r\n\r\n",
		},
		"a check without a key": {"GET /check?permission=calls:read&deny_status=403 HTTP/1.1\r\nHost: h\r\n\r\n"},
		"a check with a wrong key": {
			"GET /check?deny_status=403 HTTP/1.1\r\nHost: h\r\nX-API-Key: kw_live_x\r\n\r\n",
		},
		"a check with two keys": {
			"GET /check HTTP/1.1\r\nHost: h\r\nX-API-Key: x\r\nAuthorization: Bearer " + h.value + "\r\n\r\n",
		},
		"a check with a key in the URL": {"GET /check?key=" + h.value + " HTTP/1.1\r\nHost: h\r\n\r\n"},
		"a check of nonsense":           {"GET /check?permision=calls:read HTTP/1.1\r\nHost: h\r\n\r\n"},
		"a check with an id that is a key": {
			"GET /check HTTP/1.1\r\nHost: h\r\nX-Request-Id: " + h.value + "\r\nX-API-Key: " + h.value + "\r\n\r\n",
		},
		"a check by HEAD": {"HEAD /check HTTP/1.1\r\nHost: h\r\nX-API-Key: " + h.value + "\r\n\r\n"},
		"checks and questions": {
			"GET /check?permission=calls:read HTTP/1.1\r\nHost: h\r\nX-API-Key: " + h.value + "\r\n\r\n" + h.verify(
				one, good,
			) + "GET /check HTTP/1.1\r\nHost: h\r\n\r\n",
		},
		"an API key asks":      {strings.Replace(h.verify(one, good), h.root, h.value, 1)},
		"a wrong key asks":     {strings.Replace(h.verify(one, good), h.root, h.root[:len(h.root)-1]+"!", 1)},
		"T52: two the same":    {h.verify(one, good, "X-API-Key: "+h.root)},
		"T52: two that differ": {h.verify(one, good, "X-API-Key: x")},
		"T52: two headers":     {h.verify(one, good, "Authorization: Bearer "+h.root)},
		"T53: a bad byte":      {h.verify(one, good, "X-Bad: a\x01b")},
		"T53: a bad name":      {h.verify(one, good, "X Bad: a")},
		"an id":                {h.verify(one, good, "X-Request-Id: mine-1")},
		"an id that is a key":  {h.verify(one, good, "X-Request-Id: "+h.value)},
	}
	for _, body := range []string{``, `{}`, `{"key":"` + h.value + `","environment":"live"}`,
		`{"key":"` + h.value + `","environment":"test"}`,
		`{"key":"` + h.value + `","environment":""}`,
		`{"key":"` + h.value + `","workspaceId":"00000000-0000-7000-8000-00000000000c"}`,
		`{"key":"` + h.value + `","workspaceId":[]}`, `{"key":"x"}`, `{"key":"` + h.value + `","cost":0}`,
		`{"key":"` + h.value + `","permissions":["calls:write"]}`, `{"key":"x","cost":1.0}`,
		`{"key":"x","nope":1}`, `{"key":"\u0041"}`, "{\"key\":\"\xff\"}", `{"key":"` + h.value + `"} `,
		`{"key":"` + strings.Repeat("a", 70<<10) + `"}`, strings.Repeat(" ", 1<<20+1)} {
		about := strconv.Quote(body[:min(len(body), 60)]) + " of " + itoa(len(body))
		c["verify "+about] = []string{h.verify(one, body)}
		c["verify-batch "+about] = []string{h.verify(many, `{"items":[`+body+`]}`)}
	}
	for about, text := range oddHeads {
		c["odd: "+about] = []string{strings.Replace(text, "kw_svc_x", h.root, 1) + `{"key":"x"}`}
	}
	for about, text := range oddChecks {
		c["odd check: "+about] = []string{strings.Replace(text, "kw_live_x", h.value, 1)}
	}
	return c
}

func TestTheDataPlaneHasNothingButItsOwnOperations(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/api/v2/api-keys",
		"/api/v2/workspaces", "/api/v2/oauth2/introspect", "/signin"} {
		got := raw(t, h.data, "GET "+path+" HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "+h.root+"\r\n\r\n"+last)
		if !strings.HasPrefix(got, "HTTP/1.1 404 ") {
			t.Errorf("%s: %.60q", path, got)
		}
	}
}

// The comparison above would pass if no request were answered plainly: the two ways leave the same line in the log,
// and here it is counted that each request leaves one.
func TestEveryRequestOfTheDataPlaneLeavesOneLine(t *testing.T) {
	t.Parallel()
	h := open(t)
	const n = 50
	answers := raw(t, h.data, strings.Repeat(h.verify(one, `{"key":"`+h.value+`"}`, "X-Request-Id: counted"), n)+last)
	if got := strings.Count(answers, `"code":"VALID"`); got != n {
		t.Errorf("%d answers for %d requests", got, n)
	}
	must(t, h.stop())
	if got := strings.Count(h.log.String(), `"request_id":"counted"`); got != n {
		t.Errorf("%d lines for %d requests", got, n)
	}
}
