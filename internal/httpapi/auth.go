package httpapi

import (
	"net/http"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/verify"
)

// authenticate finds out who calls, by the same decision that answers verifications.
func (x *exchange) authenticate() error {
	token, err := bearer(x.r.Header)
	if err != nil {
		return err
	}
	if token == "" {
		return fault.New(fault.Unauthenticated, "this needs a credential: Authorization: Bearer <key>")
	}
	x.tokenSent = true
	if session.IsToken(token) {
		return x.authenticateSession(token)
	}
	var p verify.Principal
	switch x.api.Engine.Authenticate(token, x.client, &p) {
	case verify.Valid:
	case verify.Unavailable:
		return unavailable()
	case verify.IPForbidden:
		return fault.New(fault.PermissionDenied, "this key may not be used from this address",
			fault.Detail{Field: "allowedIps", Message: "do not hold the address of the request"})
	default:
		return fault.New(fault.Unauthenticated, "the credential is not valid")
	}
	x.caller = x.origin()
	if p.IsService {
		x.caller.ServiceKey, x.service = p.Service.ID, &p.Service
		return nil
	}
	x.caller.APIKey, x.home = p.Key.ID(), string(p.Key.Workspace)
	return nil
}

// authenticateSession takes the token of a session: a person, or whoever acts as the root. What the scope of a service key opens is
// read afresh like everything else.
func (x *exchange) authenticateSession(token string) error {
	who, err := x.api.Control.Identify(x.ctx(), token)
	if err != nil {
		return err
	}
	x.caller = x.origin()
	x.caller.ServiceKey, x.caller.Person, x.caller.Session = who.Caller.ServiceKey, who.Caller.Person, who.ID
	x.service, x.home = who.Service, string(who.Workspace)
	return nil
}

// bearer reads the one credential of a request (RFC 6750, section 2.1); "" where there is none. Two that differ are refused, since
// two readers could take one each. X-API-Key alone is none here.
func bearer(h http.Header) (string, error) {
	given := h.Values("Authorization")
	if len(given) > 1 {
		return "", fault.Invalid("Authorization", "stands more than once")
	}
	token := ""
	if len(given) == 1 {
		scheme, rest, _ := strings.Cut(given[0], " ")
		if strings.EqualFold(scheme, "Bearer") {
			token = strings.Trim(rest, " ")
		}
		for _, other := range h.Values("X-Api-Key") {
			if other != token {
				return "", fault.Invalid("X-API-Key", "differs from the credential in Authorization")
			}
		}
	}
	return token, nil
}

// needScope refuses everybody but a service key with the scope.
func (x *exchange) needScope(s account.Scope) error {
	if x.service != nil && x.service.Has(s) {
		return nil
	}
	return fault.New(fault.PermissionDenied, "this needs a service key with the scope "+string(s),
		fault.Detail{Field: "scope", Message: string(s)})
}

const maxUserAgent = 255

// userAgent is what the client calls itself, for the log of events: clipped, and valid UTF-8.
func userAgent(ua string) string {
	return strings.ToValidUTF8(ua[:min(len(ua), maxUserAgent)], "")
}
