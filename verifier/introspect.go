package verifier

import (
	"context"
	"encoding/binary"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/verifycodec"
)

// Introspect asks whether a token is active (RFC 7662), as keyward.Client does. Like a verification it costs 1 of the
// key's limits, and an error says that there is no answer, which must never be taken for a yes.
func (v *Verifier) Introspect(
	ctx context.Context, token string, opts ...keyward.IntrospectOption,
) (keyward.Introspection, error) {
	if err := v.may(ctx); err != nil {
		return keyward.Introspection{}, err
	}
	form := url.Values{}
	for _, opt := range opts {
		opt(form)
	}
	if v.within != nil {
		if names := form["workspaceId"]; names != nil && !slices.Contains(names, *v.within) {
			return keyward.Introspection{}, v.elsewhere()
		}
		form["workspaceId"] = []string{*v.within}
	}
	q, err := asked(token, form)
	if err != nil {
		return keyward.Introspection{}, invalid(err)
	}
	verdict, err := v.decide(ctx, func(*desk) (verify.Question, error) { return q, nil })
	if err != nil {
		return keyward.Introspection{}, err
	}
	return introspection(&verdict), nil
}

// asked reads the demands of a form, as the server does.
func asked(token string, form url.Values) (q verify.Question, err error) {
	q.Key, q.Cost = token, 1
	if token == "" {
		return q, fault.Invalid("token", "must be given")
	}
	if ip := form.Get("ip"); ip != "" {
		if q.IP, err = netip.ParseAddr(ip); err != nil || q.IP.Zone() != "" {
			return q, fault.Invalid("ip", "must be an IPv4 or IPv6 address")
		}
	}
	if names := form["environment"]; names != nil {
		var ok bool
		if q.Where.Environments, ok = account.OnlyEnvironment(names[0]); !ok {
			return q, fault.Invalid("environment", "must be live or test")
		}
	}
	if names := form["workspaceId"]; names != nil {
		q.Where.Workspaces, err = verifycodec.Workspaces(names, "workspaceId", false)
	}
	return q, err
}

// introspection puts a verdict into the standard's words. A token that is not good is not active, and no more is said.
func introspection(v *keyward.Verdict) keyward.Introspection {
	if !v.Valid {
		return keyward.Introspection{Scopes: []string{}}
	}
	out := keyward.Introspection{
		Active: true, Scopes: strings.Fields(strings.Join(v.Permissions, " ")), ClientID: v.KeyID, Subject: v.UserID,
		TokenType: "Bearer", WorkspaceID: v.WorkspaceID, Environment: v.Environment,
	}
	if ends := v.ValueExpiresAt(); ends != nil {
		out.ExpiresAt = ends.Truncate(time.Second)
	}
	if u, ok := id.Parse(v.KeyID); ok { // made at the second that it begins with (RFC 9562, section 5.7)
		out.IssuedAt = time.Unix(int64(binary.BigEndian.Uint64(u[:8])>>16)/1000, 0).UTC()
	}
	return out
}
