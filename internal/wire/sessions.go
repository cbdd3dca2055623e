package wire

import "github.com/keyward/keyward/internal/strictjson"

// CreateSignInLink is the body of POST /sign-in-links.
type CreateSignInLink struct {
	WorkspaceID strictjson.Optional[Place]  `json:"workspaceId"`
	UserID      strictjson.Optional[string] `json:"userId"`
	Root        strictjson.Optional[bool]   `json:"root"`
}

// SignInLink is a one-time link; it is shown in this answer alone.
type SignInLink struct {
	WorkspaceID *string `json:"workspaceId"`
	UserID      *string `json:"userId"`
	Path        string  `json:"path"`
	Code        string  `json:"code"`
	ExpiresAt   Time    `json:"expiresAt"`
}

// SignInLinkResult answers with one link.
type SignInLinkResult struct {
	SignInLink SignInLink `json:"signInLink"`
}

// StartSession is the body of POST /sessions.
type StartSession struct {
	Code string `json:"code"`
}

// Session is a browser or a program in which a person is signed in.
type Session struct {
	ID          string  `json:"id"`
	WorkspaceID *string `json:"workspaceId"`
	UserID      *string `json:"userId"`
	IsRoot      bool    `json:"isRoot"`
	Method      string  `json:"method"`
	Address     *string `json:"address"`
	UserAgent   *string `json:"userAgent"`
	StartedAt   Time    `json:"startedAt"`
	LastSeenAt  Time    `json:"lastSeenAt"`
	ExpiresAt   Time    `json:"expiresAt"`
	Current     bool    `json:"current"`
}

// StartedSession answers a start: here alone Token stands.
type StartedSession struct {
	Session Session `json:"session"`
	Token   string  `json:"token"`
}

// SessionList answers a listing.
type SessionList struct {
	Sessions   []Session  `json:"sessions"`
	Pagination Pagination `json:"pagination"`
}

// EndedSessions answers the end of sessions.
type EndedSessions struct {
	Deleted []string `json:"deleted"`
}
