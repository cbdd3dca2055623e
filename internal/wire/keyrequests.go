package wire

// KeyRequest is a request for a key, or for a new value of one, that a signed-in member has yet to confirm.
type KeyRequest struct {
	ID             string       `json:"id"`
	Kind           string       `json:"kind"` // create or rotate
	Status         string       `json:"status"`
	URL            string       `json:"url"`
	WorkspaceID    string       `json:"workspaceId"`
	KeyID          string       `json:"keyId"`
	Asks           RequestedKey `json:"asks"`
	OverlapSeconds *int64       `json:"overlapSeconds"` // null for a creation
	RequestedBy    string       `json:"requestedBy"`
	CreatedAt      Time         `json:"createdAt"`
	ExpiresAt      Time         `json:"expiresAt"`
	EndedAt        *Time        `json:"endedAt"`
}

// RequestedKey is the key that a request is about: as it will be, or of a rotation as it is. It has no value.
type RequestedKey struct {
	UserID      string    `json:"userId"`
	Name        string    `json:"name"`
	Environment string    `json:"environment"`
	Permissions []string  `json:"permissions"`
	ExpiresAt   *Time     `json:"expiresAt"`
	RateLimit   RateLimit `json:"rateLimit"`
	AllowedIPs  []string  `json:"allowedIps"`
	Description *string   `json:"description"`
	Metadata    Object    `json:"metadata"`
}

// KeyRequestList is a page of requests that wait to be confirmed.
type KeyRequestList struct {
	KeyRequests []KeyRequest `json:"keyRequests"`
	Pagination  Pagination   `json:"pagination"`
}

// KeyRequestResult answers with one request.
type KeyRequestResult struct {
	KeyRequest KeyRequest `json:"keyRequest"`
}
