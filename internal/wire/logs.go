package wire

// Log is one event. WorkspaceID is null for the installation's own.
type Log struct {
	ID               string  `json:"id"`
	WorkspaceID      *string `json:"workspaceId"`
	EventType        string  `json:"eventType"`
	EventDescription string  `json:"eventDescription"`
	ActorID          string  `json:"actorId"`
	ActorEmail       *string `json:"actorEmail"`
	CreatedAt        Time    `json:"createdAt"`
	Metadata         Object  `json:"metadata"`
	Seq              int64   `json:"seq,omitzero"`  // in an export of the whole log alone
	Hash             string  `json:"hash,omitzero"` // likewise
}

// LogList answers a listing.
type LogList struct {
	Logs             []Log         `json:"logs"`
	Pagination       LogPagination `json:"pagination"`
	UniqueEventTypes []string      `json:"uniqueEventTypes"`
}

// LogPagination says where a page of the log stands and where the log goes on.
type LogPagination struct {
	Total       *int64  `json:"total"` // null where it was not counted
	Limit       int     `json:"limit"`
	Offset      int     `json:"offset"`
	HasNext     bool    `json:"hasNext"`
	HasPrevious bool    `json:"hasPrevious"`
	NextCursor  *string `json:"nextCursor"`
}
