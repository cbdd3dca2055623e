package apitest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keyward/keyward/api/apitest"
)

const (
	key       = "019a5c42-1f08-7c3a-8b52-6d0e9f4a7c21"
	workspace = "019a5c3e-7b10-7a44-9c1d-2f6b8e0d4a11"
	missing   = `{"success":false,"error":{"code":"not_found","message":"there is no such object","details":[],"requestId":"r-1"}}`
	refused   = `{"success":false,"error":{"code":"method_not_allowed","message":"no","details":[],"requestId":"r-1"}}`
	verdict   = `{"success":true,"data":{"message":"No.","result":{"valid":false,"code":"NOT_FOUND"}}}`
	logLine   = `{"id":"` + key +
		`","workspaceId":null,"eventType":"api_key.created","eventDescription":"d","actorId":"a","actorEmail":null,"createdAt":"2026-11-04T09:33:00.000Z","metadata":{}}`
)

func headers(pairs ...string) http.Header {
	h := http.Header{"X-Request-Id": {"r-1"}, "Content-Type": {"application/json; charset=utf-8"}}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestCheckerTellsWhetherAnAnswerKeepsTheContract(t *testing.T) {
	t.Parallel()
	c, err := apitest.New()
	if err != nil {
		t.Fatal(err)
	}
	bare := http.Header{"Content-Type": {"application/json"}}
	cases := []struct {
		name, method, path string
		status             int
		header             http.Header
		body               string
		wrong              string // a part of the error, "" for a good answer
	}{
		{"a good answer", "POST", "/api/v2/api-keys/verify", 200, headers(), verdict, ""},
		{"a declared failure", "GET", "/api/v2/api-keys/" + key, 404, headers(), missing, ""},
		{"an unknown path", "GET", "/api/v2/nothing", 404, headers(), missing, ""},
		{"a path with a slash too many", "GET", "/api/v2/api-keys/", 404, headers(), missing, ""},
		{"an unknown method", "PATCH", "/api/v2/api-keys", 405, headers("Allow", "GET, POST"), refused, ""},
		{"a HEAD without a body", "HEAD", "/healthz", 200, headers(), "", ""},
		{
			"NDJSON", "GET", "/api/v2/workspaces/logs", 200, headers("Content-Type", "application/x-ndjson"),
			logLine + "\n" + logLine + "\n", "",
		},
		{"empty NDJSON", "GET", "/api/v2/workspaces/logs", 200, headers("Content-Type", "application/x-ndjson"), "", ""},
		{"CSV", "GET", "/api/v2/workspaces/logs", 200, headers("Content-Type", "text/csv; charset=utf-8"), "id\n", ""},
		{
			"the standard's own failure", "POST", "/api/v2/oauth2/introspect", 400, headers(),
			`{"error":"invalid_request","error_description":"token"}`, "",
		},
		{
			"no credential", "GET", "/api/v2/permissions", 401, headers("WWW-Authenticate", "Bearer"),
			strings.Replace(missing, "not_found", "unauthenticated", 1), "",
		},

		{"an undeclared status", "GET", "/api/v2/permissions", 418, headers(), missing, "does not declare"},
		{"no request id", "POST", "/api/v2/api-keys/verify", 200, bare, verdict, "X-Request-Id is missing"},
		{
			"a 401 without its header", "GET", "/api/v2/permissions", 401, headers(), missing,
			"Www-Authenticate|WWW-Authenticate",
		},
		{
			"another content type", "POST", "/api/v2/api-keys/verify", 200, headers("Content-Type", "text/plain"), verdict,
			"not declared",
		},
		{
			"a member too many", "POST", "/api/v2/api-keys/verify", 200, headers(),
			strings.Replace(verdict, `"valid"`, `"extra":1,"valid"`, 1), "extra",
		},
		{
			"more told of an unknown key", "POST", "/api/v2/api-keys/verify", 200, headers(),
			strings.Replace(verdict, `"valid"`, `"name":"n","valid"`, 1), "maxProperties",
		},
		{
			"valid without the code", "POST", "/api/v2/api-keys/verify", 200, headers(),
			strings.Replace(verdict, "false", "true", 1), "valid",
		},
		{"not JSON", "POST", "/api/v2/api-keys/verify", 200, headers(), "oops", "oops"},
		{"JSON with a tail", "POST", "/api/v2/api-keys/verify", 200, headers(), verdict + "{}", "{}"},
		{"an unknown path that is found", "GET", "/api/v2/nothing", 200, headers(), verdict, "want 404"},
		{"an unknown path without the envelope", "GET", "/nothing", 404, headers(), `{}`, "success"},
		{
			"an unknown path in plain text", "GET", "/nothing", 404, headers("Content-Type", "text/plain"), "404 page not found",
			"not declared",
		},
		{"a 405 without Allow", "PATCH", "/api/v2/api-keys", 405, headers(), refused, "Allow"},
		{
			"a time without milliseconds", "GET", "/api/v2/workspaces/logs", 200,
			headers("Content-Type", "application/x-ndjson"), strings.Replace(logLine, ".000Z", "Z", 1), "line 1",
		},
		{"a value that may be kept", "POST", "/api/v2/service-keys", 201, headers(), `{}`, "Cache-Control is missing"},
		{"the log is no workspace", "GET", "/api/v2/workspaces/logs", 200, headers(),
			`{"success":true,"data":{"message":"m","result":{"workspace":{"id":"` + workspace + `"}}}}`, "logs"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := c.Check(tc.method, tc.path, tc.status, tc.header, []byte(tc.body))
			switch {
			case tc.wrong == "" && err != nil:
				t.Errorf("Check: %v", err)
			case tc.wrong != "" && err == nil:
				t.Error("Check found nothing wrong")
			case tc.wrong != "" && !containsAny(err.Error(), strings.Split(tc.wrong, "|")):
				t.Errorf("Check: %v, want something about %q", err, tc.wrong)
			}
		})
	}
}

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
