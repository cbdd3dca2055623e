package httpapi

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/verifycodec"
	"github.com/keyward/keyward/internal/wire"
)

// introspect answers RFC 7662. A member ip beside the standard's ones is the address that presented the key; without
// it a key that is bound to addresses is not active.
func (a *api) introspect(x *exchange) error {
	form, wrong, err := x.form("workspaceId")
	if err != nil {
		return err
	}
	if err := x.needScope(account.ScopeVerify); err != nil {
		return err
	}
	q := verify.Question{
		Key: form.Get("token"), Cost: 1,
	} // as a verification does, or this would be the way around the limits
	if q.Key == "" && wrong == "" {
		wrong = "token must be given"
	}
	if ip := form.Get("ip"); ip != "" && wrong == "" {
		if q.IP, err = netip.ParseAddr(ip); err != nil || q.IP.Zone() != "" {
			wrong = "ip must be an IPv4 or IPv6 address"
		}
	}
	if wrong == "" {
		q.Where, wrong = formWhere(form)
	}
	if wrong != "" {
		return x.refuseForm(wrong)
	}
	q.Within = x.within()
	var v verify.Verdict
	a.Engine.Check(&q, &v)
	a.Observer.ObserveVerdict(string(v.Code))
	if v.Code == verify.Unavailable {
		return unavailable()
	}
	return x.writeJSON(http.StatusOK, a.introspection(&v))
}

// formWhere reads the demand for an environment and for one of several workspaces; wrong is the error in words.
func formWhere(form url.Values) (r account.Reach, wrong string) {
	if names := form["environment"]; names != nil {
		var ok bool
		if r.Environments, ok = account.OnlyEnvironment(names[0]); !ok {
			return r, "environment must be live or test"
		}
	}
	if names := form["workspaceId"]; names != nil {
		var err error
		if r.Workspaces, err = verifycodec.Workspaces(names, "workspaceId", false); err != nil {
			return r, fmt.Sprintf("workspaceId must be the id of a workspace, at most %d times", account.MaxReach)
		}
	}
	return r, ""
}

func (a *api) introspection(v *verify.Verdict) wire.Introspection {
	if v.Code != verify.Valid {
		return wire.Introspection{}
	}
	scope := strings.Join(a.Catalogue.Names(v.Permissions), " ")
	return wire.Introspection{
		Active: true, Scope: &scope, ClientID: string(v.Key.ID()), Subject: string(v.Key.User),
		ExpiresAt: v.Ends() / 1000, IssuedAt: madeAt(v.Key.ID()), TokenType: "Bearer",
		WorkspaceID: string(v.Key.Workspace),
		Environment: string(v.Key.Environment),
	}
}

// madeAt reads the second in which a key was made out of its id (RFC 9562, section 5.7).
func madeAt(k id.Key) int64 {
	u, ok := id.Parse(string(k))
	if !ok {
		return 0
	}
	return int64(binary.BigEndian.Uint64(u[:8])>>16) / 1000
}

// revoke answers RFC 7009: also for a token that is none, since then there is nothing left to do. A key of another
// environment or workspace than the form demands is none.
func (a *api) revoke(x *exchange) error {
	form, wrong, err := x.form("workspaceId")
	if err != nil {
		return err
	}
	token := form.Get("token")
	if token == "" && wrong == "" {
		wrong = "token must be given"
	}
	var demand account.Reach
	if wrong == "" {
		demand, wrong = formWhere(form)
	}
	if wrong != "" {
		return x.refuseForm(wrong)
	}
	var v verify.Verdict
	by := a.Engine.Holder(token, &v)
	switch {
	case v.Code == verify.Unavailable:
		return unavailable()
	case v.Code == verify.Valid && demand.Covers(v.Key.Workspace, v.Key.Environment):
		err = a.Control.RevokeByValue(x.ctx(), x.caller, v.Key.ID(), by, a.Engine.Rehashed(token, &v.Key))
	default:
		err = a.Control.RevokeNothing(x.ctx(), x.caller)
	}
	if err != nil {
		return err
	}
	return x.writeJSON(http.StatusOK, wire.Nothing{})
}

// refuseForm answers a wrong form in the standard's words (RFC 6749, section 5.2).
func (x *exchange) refuseForm(description string) error {
	return x.writeJSON(http.StatusBadRequest, wire.OAuthError{Error: "invalid_request", Description: description})
}
