package httpapi

import (
	"net/http"
	"net/netip"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/wire"
)

// keyRequestPath is the page on which a signed-in member confirms a request. The id in it is no secret: the page shows
// nothing to a visitor who may not do what is asked for.
const keyRequestPath = "/key-requests/"

func (a *api) keyRequestRoutes() []route {
	const requests = base + "/key-requests"
	return []route{
		{
			on: "POST " + requests, name: "requestApiKey", status: http.StatusCreated, body: jsonBody,
			message: "API key requested: a signed-in member confirms it", serve: handle(a.requestKey),
		},
		{
			on: "POST " + base + "/api-keys/{id}/key-requests", name: "requestApiKeyRotation", status: http.StatusCreated,
			body: jsonOptional, message: "New value requested: a signed-in member confirms it", serve: handle(a.requestRotation),
		},
		{on: "GET " + requests, name: "listKeyRequests", query: paging, message: "Key requests",
			serve: show(a.listKeyRequests)},
		{on: "GET " + requests + "/{id}", name: "getKeyRequest", message: "Key request", serve: show(a.getKeyRequest)},
		{
			on: "DELETE " + requests + "/{id}", name: "declineKeyRequest", message: "Key request declined",
			serve: show(a.declineKeyRequest),
		},
	}
}

func (a *api) listKeyRequests(x *exchange) (out wire.KeyRequestList, err error) {
	var in control.ListKeyRequests
	if in.Paging, err = x.query.paging(); err != nil {
		return out, err
	}
	if in.Workspace, err = x.query.word("workspaceId"); err != nil {
		return out, err
	}
	all, page, err := a.Control.ListKeyRequests(x.ctx(), x.caller, in)
	shown := mapped(all, func(r control.KeyRequest) wire.KeyRequest { return a.keyRequest(x, r).KeyRequest })
	return wire.KeyRequestList{KeyRequests: shown, Pagination: pagination(page)}, err
}

func (a *api) requestKey(x *exchange, in wire.CreateAPIKey) (wire.KeyRequestResult, error) {
	r, err := a.Control.RequestKey(x.ctx(), x.caller, createInput(in))
	return a.keyRequest(x, r), err
}

func (a *api) requestRotation(x *exchange, in wire.RotateAPIKey) (wire.KeyRequestResult, error) {
	r, err := a.Control.RequestRotation(x.ctx(), x.caller, x.r.PathValue("id"), in.OverlapSeconds.Value)
	return a.keyRequest(x, r), err
}

func (a *api) getKeyRequest(x *exchange) (wire.KeyRequestResult, error) {
	r, err := a.Control.GetKeyRequest(x.ctx(), x.caller, x.r.PathValue("id"))
	return a.keyRequest(x, r), err
}

func (a *api) declineKeyRequest(x *exchange) (wire.Deleted, error) {
	id := x.r.PathValue("id")
	return wire.Deleted{Deleted: []string{id}}, a.Control.DeclineKeyRequest(x.ctx(), x.caller, id)
}

func (a *api) keyRequest(x *exchange, r control.KeyRequest) wire.KeyRequestResult {
	k := &r.Key
	out := wire.KeyRequest{
		ID: string(r.ID), Kind: "create", Status: string(r.State), URL: a.Base(x.r) + keyRequestPath + string(r.ID),
		WorkspaceID: string(r.Workspace), KeyID: string(r.Request.Key), RequestedBy: r.Actor,
		CreatedAt: wire.Time(r.CreatedAt), ExpiresAt: wire.Time(r.ExpiresAt), EndedAt: wire.TimeOrNull(r.EndedAt),
		Asks: wire.RequestedKey{
			UserID: string(k.User), Name: k.Name, Environment: string(k.Environment),
			Permissions: a.Catalogue.Names(k.Permissions), ExpiresAt: wire.TimeOrNull(k.ExpiresAt),
			RateLimit: rateLimit(k.Limits), AllowedIPs: mapped(k.AllowedIPs, netip.Prefix.String),
			Description: wire.TextOrNull(k.Description), Metadata: wire.Object(k.Metadata),
		},
	}
	if r.Rotates {
		out.Kind, out.OverlapSeconds = "rotate", &r.OverlapSeconds
	}
	return wire.KeyRequestResult{KeyRequest: out}
}
