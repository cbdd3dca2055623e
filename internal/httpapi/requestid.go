package httpapi

import (
	"net/http"
)

const maxRequestID = 128

// requestID takes over the client's id, so that one name runs through all logs, where it can stand in ours unharmed: 1–128 of
// letters, digits, '.', '_' and '-', and not a key.
func (a *api) requestID(r *http.Request) string {
	given := r.Header.Values("X-Request-Id")
	if len(given) == 1 && plainID(given[0]) && !a.isCredential(given[0]) {
		return given[0]
	}
	return a.ids.Next()
}

func plainID(s string) bool {
	if s == "" || len(s) > maxRequestID {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '.' && c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// isKey tells whether a text is one of this installation's keys.
func (a *api) isKey(s string) bool {
	_, ok := a.Format.Parse(s)
	return ok
}
