package keyward

import (
	"context"
	"time"
)

// Invitation lets a member register a passkey, once, until ExpiresAt. It reaches the workspace that invites and no
// other one.
type Invitation struct {
	WorkspaceID string `json:"workspaceId"`
	UserID      string `json:"userId"`
	// URL is the link to send to the member. Whoever has it can become the member.
	URL       Secret    `json:"url"`
	Code      Secret    `json:"code"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// SignInReset is what a reset of a member's sign-in ended, and the invitation that it made.
type SignInReset struct {
	Invitation Invitation  `json:"invitation"`
	Ended      EndedSignIn `json:"ended"`
}

// EndedSignIn counts what ended.
type EndedSignIn struct {
	Passkeys int `json:"passkeys"`
	Sessions int `json:"sessions"`
}

// InviteMember makes an invitation for a member who has never signed in to the workspace; an earlier one ends. 409
// conflict says that the member has signed in, and 403 permission_escalation that the member can do what the caller
// cannot. It is never retried.
func (c *Client) InviteMember(ctx context.Context, workspaceID, userID string) (Invitation, error) {
	type result struct {
		Invitation Invitation `json:"invitation"`
	}
	r, err := invoke[result](ctx, c, post(struct{}{}, "workspaces", workspaceID, "members", userID, "invitation"))
	return r.Invitation, err
}

// ResetSignIn ends the passkeys and sessions that a member has in the workspace, and makes an invitation. It is never
// retried.
func (c *Client) ResetSignIn(ctx context.Context, workspaceID, userID string) (SignInReset, error) {
	return invoke[SignInReset](ctx, c, post(struct{}{}, "workspaces", workspaceID, "members", userID, "sign-in-reset"))
}
