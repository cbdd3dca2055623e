package httpapi

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/httplimit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/oidc"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/verify"
)

// authenticate identifies the caller, by the same decision that answers verifications.
func (x *exchange) authenticate() error {
	token, err := bearer(x.r.Header)
	if err != nil {
		return err
	}
	if token == "" {
		return fault.New(fault.Unauthenticated, "this needs a credential: Authorization: Bearer <key>")
	}
	x.tokenSent = true
	if x.api.Follower {
		return x.authenticateHere(token)
	}
	if session.IsToken(token) {
		return x.authenticateSession(token)
	}
	if x.api.Persons != nil && oidc.LooksLikeToken(token) {
		return x.authenticatePerson(token)
	}
	var p verify.Principal
	ask := x.api.Engine.Authenticate
	if x.route.free {
		ask = x.api.Engine.AuthenticateFree
	}
	code := ask(token, x.client, &p)
	switch code {
	case verify.Valid, verify.RateLimited, verify.QuotaExceeded:
		x.identify(&p)
		return x.meter(code, &p)
	case verify.Malformed, verify.NotFound:
		return x.guessed(code.Refusal())
	}
	return code.Refusal()
}

// authenticateHere takes the service keys of a follower's copy, and no other caller.
func (x *exchange) authenticateHere(token string) error {
	var p verify.Principal
	switch code := x.api.Engine.AuthenticateFree(token, x.client, &p); {
	case code == verify.Valid && p.IsService:
		x.identify(&p)
		return nil
	case code == verify.Unavailable || code == verify.IPForbidden:
		return code.Refusal()
	}
	return x.guessed(
		fault.New(fault.Unauthenticated, "the credential is none of a service key that may ask this follower"),
	)
}

// identify records the caller.
func (x *exchange) identify(p *verify.Principal) {
	x.caller = x.origin()
	x.caller.Presented, x.caller.Rehashed = p.Presented, p.Rehashed
	if p.IsService {
		x.caller.ServiceKey, x.service = p.Service.ID, &p.Service
		return
	}
	x.caller.APIKey, x.home = p.Key.ID(), string(p.Key.Workspace)
	x.caller.Home = p.Key.Workspace
}

// meter tells an API key the state of its limits, for every answer, and refuses if one is used up. Service keys have
// none.
func (x *exchange) meter(code verify.Code, p *verify.Principal) error {
	if x.route.free {
		return x.bounded()
	}
	h, now := x.w.Header(), x.api.Clock()
	httplimit.SetFields(h, &p.Limits, now)
	if f := code.Refusal(); f != nil {
		httplimit.SetRetryAfter(h, &p.Limits, now)
		return f
	}
	return nil
}

// bounded refuses an address that asks too often for answers that cost no limit.
func (x *exchange) bounded() error {
	wait := x.api.Free.Failed(x.client)
	if wait == 0 {
		return nil
	}
	x.retryAfter(wait)
	return fault.New(fault.RateLimited, "too many requests from this address")
}

// authenticateSession takes the token of a session: a person, or a session that acts as the root. The scope of its
// service key is read afresh like everything else.
func (x *exchange) authenticateSession(token string) error {
	who, err := x.api.Control.Identify(x.ctx(), token)
	if fault.Is(err, fault.Unauthenticated) {
		return x.guessed(err)
	}
	if err != nil {
		return err
	}
	x.caller = who.Caller.From(x.origin())
	x.service, x.home = who.Service, string(who.Workspace)
	return nil
}

// guessed counts an attempt with a credential that is none, and answers the refusal, or another one where the address
// makes too many.
func (x *exchange) guessed(refusal error) error {
	if wait := x.api.Failures.Failed(x.client); wait > 0 {
		return x.tooMany(wait)
	}
	return refusal
}

// tooMany refuses an address that guesses.
func (x *exchange) tooMany(wait time.Duration) error {
	x.retryAfter(wait)
	return fault.New(fault.RateLimited, "too many attempts with credentials that are not valid")
}

func (x *exchange) retryAfter(wait time.Duration) {
	x.w.Header().Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
}

// authenticatePerson takes a token of the OpenID provider: a person, in whichever of their workspaces the request
// works. Of a token that is not good, nothing more is told.
func (x *exchange) authenticatePerson(token string) error {
	person, err := x.api.Persons.Verify(x.ctx(), token)
	switch {
	case errors.Is(err, oidc.ErrDown):
		return unavailable().Because(err)
	case err != nil:
		x.api.Logger.Debug("a person's token was refused", "error", err.Error(), "request_id", x.id)
		return x.guessed(fault.New(fault.Unauthenticated, "the credential is not valid"))
	}
	x.caller = x.origin()
	x.caller.Person, x.caller.Token = control.Person{User: id.User(person.User)}, person.TokenID
	x.caller.Presented, x.caller.Until = sha256.Sum256([]byte(token)), person.Until
	return nil
}

// bearer reads the one credential of a request (RFC 6750, section 2.1); "" where there is none. Two that differ are
// refused, since two readers could take one each. X-API-Key alone is none here.
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

// needScope refuses every caller but a service key with the scope. It is for operations that ask the engine and not
// the control plane, which reads the credential in its own transaction: here the credential is checked once more,
// because the body may have taken its time.
func (x *exchange) needScope(s account.Scope) error {
	if x.service != nil && (x.service.Has(s) || x.api.Follower && x.service.Has(account.ScopeFollow)) {
		return x.stands()
	}
	return fault.New(fault.PermissionDenied, "this needs a service key with the scope "+string(s),
		fault.Detail{Field: "scope", Message: string(s)})
}

// stands refuses a service key, or a session that acts as one, that was taken back since it was authenticated.
func (x *exchange) stands() error {
	if x.caller.Session != "" {
		return x.api.Control.Stands(x.ctx(), x.caller)
	}
	if !x.api.Engine.ServiceStands(x.caller.Presented) {
		return fault.New(fault.Unauthenticated, "the credential is not valid any more")
	}
	return nil
}

const maxUserAgent = 255

// userAgent is the client's name for the log of events: clipped, and valid UTF-8.
func userAgent(ua string) string {
	return strings.ToValidUTF8(ua[:min(len(ua), maxUserAgent)], "")
}
