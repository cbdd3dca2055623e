package httpapi

import (
	"net/http"

	"github.com/keyward/keyward/internal/session"
)

const maxRequestID = 128

// requestID takes over the client's id, so that one name runs through all logs, where it can stand in ours unharmed:
// 1–128 of letters, digits, '.', '_' and '-', and without a credential in it.
func (a *api) requestID(r *http.Request) string {
	given := r.Header.Values("X-Request-Id")
	if len(given) == 1 && plainID(given[0]) && !session.Leaks(given[0]) {
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
