package wire

// Usage is how often something was verified and refused.
type Usage struct {
	Series []UsageBucket `json:"series"`
	Total  int64         `json:"total"`
}

// UsageBucket holds the counts of one minute, hour or day.
type UsageBucket struct {
	Start    Time             `json:"start"`
	Verified int64            `json:"verified"`
	Denied   map[string]int64 `json:"denied"` // by code, those alone that occurred
}
