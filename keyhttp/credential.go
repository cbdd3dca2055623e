package keyhttp

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/keyward/keyward"
)

// inURL is the server's own word about a key in a URL.
const inURL = "a credential must not stand in a URL, where logs keep it: treat it as exposed, and send it in the " +
	"Authorization header"

// credential reads the one key of a request, from Authorization: Bearer (RFC 6750, section 2.1) or X-API-Key. Two that
// differ are refused, since another reader could take the other one; so is a key in the URL, which is logged
// everywhere.
func credential(r *http.Request) (key string, wrong *refusal) {
	if keyInQuery(r.URL.RawQuery) {
		return "", invalid("query", inURL)
	}
	for _, name := range []string{"Authorization", "X-API-Key"} {
		if len(r.Header.Values(name)) > 1 {
			return "", invalid(name, "stands more than once")
		}
	}
	if given := r.Header.Get("Authorization"); given != "" {
		if scheme, rest, _ := strings.Cut(given, " "); strings.EqualFold(scheme, "Bearer") {
			key = strings.Trim(rest, " ")
		}
		if other := r.Header.Get("X-Api-Key"); other != "" && other != key {
			return "", invalid("X-API-Key", "differs from the credential in Authorization")
		}
	} else {
		key = strings.Trim(r.Header.Get("X-Api-Key"), " ")
	}
	if key == "" {
		return "", &refusal{status: http.StatusUnauthorized, code: keyward.CodeUnauthenticated, challenge: "Bearer",
			message: "this needs an API key: Authorization: Bearer <key>, or X-API-Key: <key>"}
	}
	return key, nil
}

// keyInQuery tells whether something that looks like a key stands in a query, however it is escaped.
func keyInQuery(raw string) bool {
	if raw == "" {
		return false
	}
	text, err := url.QueryUnescape(raw)
	if err != nil {
		text = raw
	}
	for _, kind := range []string{"_live_", "_test_", "_svc_"} {
		for rest := text; ; {
			_, after, found := strings.Cut(rest, kind)
			if !found {
				break
			}
			if letters(after) >= keyLength {
				return true
			}
			rest = after
		}
	}
	return false
}

// keyLength is how many letters and digits a key has after its prefix.
const keyLength = 49

func letters(s string) int {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return i
		}
	}
	return len(s)
}
