package keyward

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// SignInLinkRequest asks for a one-time link: for a member of a workspace, or with Root for the root key that calls.
type SignInLinkRequest struct {
	WorkspaceID string `json:"workspaceId,omitzero"`
	UserID      string `json:"userId,omitzero"`
	Root        bool   `json:"root,omitzero"`
}

// SignInLink signs a person in once, until ExpiresAt.
type SignInLink struct {
	// WorkspaceID and UserID are "" for the root.
	WorkspaceID string    `json:"workspaceId"`
	UserID      string    `json:"userId"`
	Code        Secret    `json:"code"`
	ExpiresAt   time.Time `json:"expiresAt"`
	// URL is the link under the client's address of the server. Following it signs in.
	URL Secret `json:"-"`
}

// CreateSignInLink makes a one-time link for the dashboard, by a service key with manage. It is never retried.
func (c *Client) CreateSignInLink(ctx context.Context, req SignInLinkRequest) (SignInLink, error) {
	type result struct {
		SignInLink SignInLink `json:"signInLink"`
	}
	r, err := invoke[result](ctx, c, post(req, "sign-in-links"))
	if err == nil {
		r.SignInLink.URL = NewSecret(c.base + "/signin/link?code=" + url.QueryEscape(r.SignInLink.Code.Reveal()))
	}
	return r.SignInLink, err
}

// Session is a browser or a program in which a person is signed in.
type Session struct {
	ID string `json:"id"`
	// WorkspaceID is where they work; "" for a root that looks at none.
	WorkspaceID string `json:"workspaceId"`
	// UserID is "" for a session that acts as a root.
	UserID string `json:"userId"`
	IsRoot bool   `json:"isRoot"`
	// Method is link, oidc or passkey.
	Method    string    `json:"method"`
	Address   string    `json:"address"`
	UserAgent string    `json:"userAgent"`
	StartedAt time.Time `json:"startedAt"`
	// LastSeenAt is exact to five minutes.
	LastSeenAt time.Time `json:"lastSeenAt"`
	// ExpiresAt is when it ends however much it is used.
	ExpiresAt time.Time `json:"expiresAt"`
	// Current marks the session that calls.
	Current bool `json:"current"`
}

// StartedSession is a session and, this once, its token, which a client takes as any other.
type StartedSession struct {
	Session Session `json:"session"`
	Token   Secret  `json:"token"`
}

// StartSession follows a one-time link for a program. It is never retried, since a link works once.
func (c *Client) StartSession(ctx context.Context, code string) (StartedSession, error) {
	return invoke[StartedSession](ctx, c, post(struct {
		Code string `json:"code"`
	}{code}, "sessions"))
}

// ListSessionsOptions picks sessions; what is empty picks all that the caller may see.
type ListSessionsOptions struct {
	WorkspaceID string
	UserID      string
	ListOptions
}

// SessionPage is a page of sessions.
type SessionPage struct {
	Sessions   []Session  `json:"sessions"`
	Pagination Pagination `json:"pagination"`
}

// ListSessions gives a page of sessions, newest first.
func (c *Client) ListSessions(ctx context.Context, f ListSessionsOptions) (SessionPage, error) {
	q := f.query().text("workspaceId", f.WorkspaceID).text("userId", f.UserID)
	return invoke[SessionPage](ctx, c, get(url.Values(q), "sessions"))
}

// AllSessions yields every session from f.Cursor on, page after page, and ends with the first error.
func (c *Client) AllSessions(ctx context.Context, f ListSessionsOptions) iter.Seq2[Session, error] {
	return walkList(f.ListOptions, func(at ListOptions) ([]Session, Pagination, error) {
		f.ListOptions = at
		page, err := c.ListSessions(ctx, f)
		return page.Sessions, page.Pagination, err
	})
}

// EndSession ends a session at once.
func (c *Client) EndSession(ctx context.Context, id string) error {
	_, err := invoke[struct{}](ctx, c, del("sessions", id))
	return err
}

// EndSessions signs out everywhere: the calling person, or for a service key the named user, "" being the sessions of
// the key itself. It returns the ids of the ended sessions.
func (c *Client) EndSessions(ctx context.Context, userID string) ([]string, error) {
	call := del("sessions")
	call.query = url.Values(query{}.text("userId", userID))
	type result struct {
		Deleted []string `json:"deleted"`
	}
	r, err := invoke[result](ctx, c, call)
	return r.Deleted, err
}
