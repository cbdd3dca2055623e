package keyward_test

import (
	"strings"
	"testing"

	"github.com/keyward/keyward"
)

const (
	linkCode    = "keyward_link_0000000000000000000000000000000000000000000"
	sessionJSON = `{"id":"n1","workspaceId":"w1","userId":"ada","isRoot":false,"method":"link","address":"203.0.113.7","userAgent":null,
		"startedAt":"2026-11-23T12:00:00.000Z","lastSeenAt":"2026-11-23T12:00:00.000Z","expiresAt":"2026-11-23T12:00:00.000Z","current":true}`
)

var session = keyward.Session{
	ID: "n1", WorkspaceID: "w1", UserID: "ada", Method: "link", Address: "203.0.113.7", StartedAt: noon, LastSeenAt: noon,
	ExpiresAt: noon, Current: true,
}

func TestEverySessionOperationSaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	operations := []operation{
		{
			name:   "start",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.StartSession(ctx, linkCode) },
			method: "POST", uri: "/api/v2/sessions", status: 201, body: `{"code":"` + linkCode + `"}`,
			answer: `{"session":` + sessionJSON + `,"token":"keyward_session_x"}`,
			want:   keyward.StartedSession{Session: session, Token: keyward.NewSecret("keyward_session_x")},
		},
		{
			name: "list",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.ListSessions(ctx, keyward.ListSessionsOptions{WorkspaceID: "w1", UserID: "ada"})
			},
			method: "GET", uri: "/api/v2/sessions?userId=ada&workspaceId=w1",
			answer: `{"sessions":[` + sessionJSON + `],"pagination":{}}`,
			want:   keyward.SessionPage{Sessions: []keyward.Session{session}},
		},
		{
			name:   "end",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return nil, c.EndSession(ctx, "n1") },
			method: "DELETE", uri: "/api/v2/sessions/n1", answer: `{"deleted":["n1"]}`,
		},
		{
			name:   "end all",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.EndSessions(ctx, "ada") },
			method: "DELETE", uri: "/api/v2/sessions?userId=ada", answer: `{"deleted":["n1"]}`, want: []string{"n1"},
		},
	}
	for _, o := range operations {
		t.Run(o.name, o.run)
	}
}

func TestALinkStandsUnderTheAddressOfTheServer(t *testing.T) {
	t.Parallel()
	client, last := answering(
		t,
		201,
		result(`{"signInLink":{"workspaceId":"w1","userId":"ada","path":"/x","code":"`+linkCode+`",
		"expiresAt":"2026-11-23T12:00:00.000Z"}}`),
	)
	l, err := client.CreateSignInLink(t.Context(), keyward.SignInLinkRequest{WorkspaceID: "w1", UserID: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if link := l.URL.Reveal(); !strings.HasPrefix(link, "http://127.0.0.1:") ||
		!strings.HasSuffix(link, "/signin/link?code="+linkCode) {
		t.Errorf("the link is %s", link)
	}
	if l.WorkspaceID != "w1" || l.UserID != "ada" || l.Code.Reveal() != linkCode || l.ExpiresAt != noon {
		t.Errorf("%+v", l)
	}
	sameJSON(t, `{"workspaceId":"w1","userId":"ada"}`, last().Body)
}
