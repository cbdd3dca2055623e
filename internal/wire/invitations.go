package wire

// Invitation is a one-time link by which a member registers a passkey; its code is shown in this answer alone.
type Invitation struct {
	WorkspaceID string `json:"workspaceId"`
	UserID      string `json:"userId"`
	URL         string `json:"url"`
	Path        string `json:"path"`
	Code        string `json:"code"`
	ExpiresAt   Time   `json:"expiresAt"`
}

// InvitationResult answers with one invitation.
type InvitationResult struct {
	Invitation Invitation `json:"invitation"`
}

// EndedSignIn counts what a reset of a member's sign-in ended.
type EndedSignIn struct {
	Passkeys int `json:"passkeys"`
	Sessions int `json:"sessions"`
}

// SignInResetResult answers a reset of a member's sign-in.
type SignInResetResult struct {
	Invitation Invitation  `json:"invitation"`
	Ended      EndedSignIn `json:"ended"`
}
