// Package doctor owns how an installation's neighbours and its machine are looked at: Redis, the OpenID issuer,
// certificates, descriptors, the disk, and the gateway in front. It changes nothing. It does not own the database,
// which the drivers look at, nor how findings are shown (cli).
package doctor

import "fmt"

// Level says how bad a finding is.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is one line: what is so, why it matters, and what to do about it.
type Finding struct {
	Level   Level  `json:"level"`
	Subject string `json:"subject"`
	What    string `json:"what"`
	Why     string `json:"why,omitempty"`
	Do      string `json:"do,omitempty"`
}

func ok(subject, format string, args ...any) Finding {
	return Finding{Level: OK, Subject: subject, What: fmt.Sprintf(format, args...)}
}
