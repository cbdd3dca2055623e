package keyward_test

import (
	"testing"

	"github.com/keyward/keyward"
)

func TestEveryInvitationSaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	const code = "keyward_invite_0000000000000000000000000000000000000000000"
	const shown = `{"workspaceId":"w1","userId":"ada","url":"https://keys.example.com/signin/invitation#` + code + `",
		"path":"/signin/invitation#` + code + `","code":"` + code + `","expiresAt":"2026-11-23T12:00:00.000Z"}`
	want := keyward.Invitation{
		WorkspaceID: "w1", UserID: "ada", URL: keyward.NewSecret("https://keys.example.com/signin/invitation#" + code),
		Code: keyward.NewSecret(code), ExpiresAt: noon,
	}
	operations := []operation{
		{
			name:   "invite",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.InviteMember(ctx, "w1", "ada") },
			method: "POST", uri: "/api/v2/workspaces/w1/members/ada/invitation", status: 201, body: `{}`,
			answer: `{"invitation":` + shown + `}`, want: want,
		},
		{
			name:   "reset",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.ResetSignIn(ctx, "w1", "ada") },
			method: "POST", uri: "/api/v2/workspaces/w1/members/ada/sign-in-reset", body: `{}`,
			answer: `{"invitation":` + shown + `,"ended":{"passkeys":2,"sessions":3}}`,
			want:   keyward.SignInReset{Invitation: want, Ended: keyward.EndedSignIn{Passkeys: 2, Sessions: 3}},
		},
	}
	for _, o := range operations {
		t.Run(o.name, o.run)
	}
}
