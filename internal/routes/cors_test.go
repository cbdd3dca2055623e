package routes_test

import (
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/routes"
)

func corsRule(cors string) string {
	return "routes:\n  - {method: GET, path: /a, permissions: [], cors: " + cors + "}\n"
}

func TestCORSAllowsTheOriginsThatTheRuleNames(t *testing.T) {
	t.Parallel()
	for cors, want := range map[string]map[string]string{
		"{origins: ['https://app.example.com', 'http://localhost:5173']}": {"https://app.example.com": "https://app.example.com",
			"http://localhost:5173": "http://localhost:5173", "https://app.example.com.evil.example": "",
			"http://app.example.com": "", "null": "", "": ""},
		"{origins: ['*'], preflight: gateway, headers: [X-A], maxAge: 0}": {"https://anything.example": "*", "null": "*",
			"": ""},
		"{origins: ['http://[2001:db8::1]:8080'], preflight: backend}": {
			"http://[2001:db8::1]:8080": "http://[2001:db8::1]:8080",
		},
	} {
		rule := parse(t, corsRule(cors)).Match("GET", "/a")
		for origin, allow := range want {
			if got := rule.CORS.Allow(origin); got != allow {
				t.Errorf("%s: %q is answered %q, want %q", cors, origin, got, allow)
			}
		}
		if rule.CORS.Gateway != strings.Contains(cors, "gateway") {
			t.Errorf("%s: answered by the gateway: %v", cors, rule.CORS.Gateway)
		}
	}
	var none *routes.CORS
	if none.Allow("https://app.example.com") != "" {
		t.Error("a rule without cors allows an origin")
	}
}

func TestACORSRuleThatBrowsersCouldNotMeetIsRefused(t *testing.T) {
	t.Parallel()
	for cors, word := range map[string]string{
		"[]": "cors", "{}": "origins", "{origins: 'https://a.example'}": "origins", "{origins: []}": "origins",
		"{origins: ['https://a.example/']}": "origins", "{origins: ['https://A.example']}": "origins",
		"{origins: ['a.example']}":             "origins",
		"{origins: ['https://a.example:443']}": "origins", "{origins: ['http://a.example:80']}": "origins",
		"{origins: ['https://u@a.example']}": "origins",
		"{origins: ['https://a.example?x']}": "origins", "{origins: ['https://*.example']}": "origins",
		"{origins: ['*', 'https://a.example']}":                 "origins",
		"{origins: ['https://a.example', 'https://a.example']}": "origins", "{origins: ['null']}": "origins",
		"{origins: ['https://a.example:']}":  "origins",
		"{origins: ['*'], preflight: nginx}": "preflight", "{origins: ['*'], preflight: true}": "preflight",
		"{origins: ['*'], maxAge: 5}":                            "maxAge",
		"{origins: ['*'], preflight: gateway, maxAge: -1}":       "maxAge",
		"{origins: ['*'], preflight: gateway, maxAge: 86401}":    "maxAge",
		"{origins: ['*'], preflight: gateway, headers: ['a b']}": "headers", "{origins: ['*'], headers: [X-A]}": "headers",
		"{origins: ['*'], origin: x}": "origin",
	} {
		_, err := routes.Parse("r.yaml", []byte(corsRule(cors)), perm.Builtin())
		if err == nil || !strings.HasPrefix(err.Error(), "r.yaml:2:") || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", cors, err)
		}
	}
}
