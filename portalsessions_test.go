package keyward_test

import (
	"testing"

	"github.com/keyward/keyward"
)

func TestEveryPortalSessionOperationSaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	const (
		secret = "keyward_portal_0000000000000000000000000000000000000000000"
		shown  = `{"id":"p1","workspaceId":"w1","userId":"ada","capabilities":["keys:read"],"ceiling":{"permissions":[],"maxLifetimeSeconds":60,
			"rateLimit":{"requestsPerMinute":5,"requestsPerDay":null},"environments":["test"],"maxKeys":3,"requireAllowedIps":true},
			"allowedOrigins":["https://app.example.com"],"reveal":"frame","locale":"de","theme":"dark","returnUrl":null,"label":"page","isStarted":true,
			"createdBy":"s1","createdAt":"2026-11-23T12:00:00.000Z","expiresAt":"2026-11-23T12:00:00.000Z"}`
		ended = `{"deleted":["p1"],"revocation":{"effective":"everywhere","nodes":{"confirmed":1,"pending":0},"deadline":"2026-11-23T12:00:00.000Z"}}`
	)
	minute, lifetime, keys := 5, 60, 3
	want := keyward.PortalSession{
		ID:           "p1",
		WorkspaceID:  "w1",
		UserID:       "ada",
		Capabilities: []string{keyward.CapabilityKeysRead},
		Ceiling: keyward.PortalCeiling{
			Permissions: []string{}, MaxLifetimeSeconds: &lifetime, RateLimit: &keyward.RateLimit{RequestsPerMinute: &minute},
			Environments: []string{"test"}, MaxKeys: &keys, RequireAllowedIPs: true,
		},
		AllowedOrigins: []string{
			"https://app.example.com",
		},
		Reveal:    keyward.RevealFrame,
		Locale:    "de",
		Theme:     "dark",
		Label:     "page",
		IsStarted: true,
		CreatedBy: "s1",
		CreatedAt: noon,
		ExpiresAt: noon,
	}
	gone := keyward.EndedPortalSessions{Deleted: []string{"p1"},
		Revocation: keyward.Revocation{Effective: "everywhere", Nodes: keyward.RevocationNodes{Confirmed: 1}, Deadline: noon}}
	started := keyward.StartedPortalSession{
		PortalSession: want, Token: keyward.NewSecret("keyward_portaltoken_x"), TokenType: "DPoP", ExpiresAt: noon,
	}
	const token = `{"portalSession":` + shown +
		`,"token":"keyward_portaltoken_x","tokenType":"DPoP","expiresAt":"2026-11-23T12:00:00.000Z"}`
	operations := []operation{
		{
			name: "create",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.CreatePortalSession(ctx, keyward.CreatePortalSessionRequest{WorkspaceID: "w1", UserID: "ada",
					CreateMember: &keyward.PortalMember{
						Email: "a@example.com", RoleID: "r1",
					}, Capabilities: []string{keyward.CapabilityKeysRead},
					Ceiling: &keyward.PortalCeiling{
						Permissions: []string{}, MaxKeys: &keys,
					}, Reveal: keyward.RevealFrame, ExpiresInSeconds: 60})
			},
			method: "POST", uri: "/api/v2/portal-sessions", status: 201,
			body: `{"workspaceId":"w1","userId":"ada","createMember":{"email":"a@example.com","roleId":"r1"},"capabilities":["keys:read"],` +
				`"ceiling":{"permissions":[],"maxLifetimeSeconds":null,"rateLimit":null,"environments":null,"maxKeys":3,"requireAllowedIps":false},` +
				`"allowedOrigins":[],"reveal":"frame","expiresInSeconds":60}`,
			answer: `{"portalSession":` + shown + `,"clientSecret":"` + secret + `","url":"https://keys.example.com/portal/p1#` +
				secret + `"}`,
			want: keyward.CreatedPortalSession{PortalSession: want, ClientSecret: keyward.NewSecret(secret),
				URL: keyward.NewSecret("https://keys.example.com/portal/p1#" + secret)},
		},
		{
			name:   "get",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.GetPortalSession(ctx, "p1") },
			method: "GET", uri: "/api/v2/portal-sessions/p1", answer: `{"portalSession":` + shown + `}`, want: want,
		},
		{
			name: "list",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.ListPortalSessions(ctx, keyward.ListPortalSessionsOptions{WorkspaceID: "w1", UserID: "ada"})
			},
			method: "GET", uri: "/api/v2/portal-sessions?userId=ada&workspaceId=w1",
			answer: `{"portalSessions":[` + shown + `],"pagination":{}}`,
			want:   keyward.PortalSessionPage{PortalSessions: []keyward.PortalSession{want}},
		},
		{
			name:   "end",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.EndPortalSession(ctx, "p1", keyward.WaitAll()) },
			method: "DELETE", uri: "/api/v2/portal-sessions/p1?wait=all", answer: ended, want: gone,
		},
		{
			name:   "end all",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.EndPortalSessions(ctx, "ada") },
			method: "DELETE", uri: "/api/v2/portal-sessions?userId=ada", answer: ended, want: gone,
		},
		{
			name:   "exchange",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.ExchangePortalSession(ctx, secret, "proof") },
			method: "POST", uri: "/api/v2/portal-sessions/exchange", body: `{"clientSecret":"` + secret + `"}`, answer: token,
			want: started,
		},
		{
			name:   "renew",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.RenewPortalSession(ctx, "p1", "proof") },
			method: "POST", uri: "/api/v2/portal-sessions/p1/renew", body: `{}`, answer: token, want: started,
		},
	}
	for _, o := range operations {
		t.Run(o.name, o.run)
	}
}
