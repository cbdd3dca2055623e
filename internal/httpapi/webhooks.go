package httpapi

import (
	"net/http"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/wire"
)

func (a *api) webhookRoutes() []route {
	const webhooks = base + "/webhooks"
	return []route{
		{
			on: "POST " + webhooks, name: "createWebhook", status: http.StatusCreated, body: jsonBody,
			message: "Webhook created", serve: handle(a.createWebhook),
		},
		{
			on: "GET " + webhooks, name: "listWebhooks", query: append([]string{"workspaceId"}, paging...),
			message: "Webhooks", serve: show(a.listWebhooks),
		},
		{on: "GET " + webhooks + "/{id}", name: "getWebhook", message: "Webhook", serve: show(a.getWebhook)},
		{
			on: "PATCH " + webhooks + "/{id}", name: "updateWebhook", body: jsonBody, message: "Webhook updated",
			serve: handle(a.updateWebhook),
		},
		{on: "DELETE " + webhooks + "/{id}", name: "deleteWebhook", message: "Webhook deleted", serve: show(a.deleteWebhook)},
		{
			on: "POST " + webhooks + "/{id}/rotate-secret", name: "rotateWebhookSecret", body: jsonOptional,
			message: "Secret rotated", serve: handle(a.rotateWebhook),
		},
		{
			on: "POST " + webhooks + "/{id}/test", name: "testWebhook", status: http.StatusCreated,
			message: "Test notice queued", serve: show(a.testWebhook),
		},
		{
			on: "GET " + webhooks + "/{id}/deliveries", name: "listWebhookDeliveries",
			query:   append([]string{"status"}, paging...),
			message: "Deliveries", serve: show(a.listDeliveries),
		},
		{
			on: "POST " + webhooks + "/{id}/deliveries/{deliveryId}/replay", name: "replayWebhookDelivery",
			status: http.StatusCreated, message: "Notice queued again", serve: show(a.replayDelivery),
		},
	}
}

func (a *api) createWebhook(x *exchange, in wire.CreateWebhook) (wire.RevealedWebhook, error) {
	made, err := a.Control.CreateWebhook(x.ctx(), x.caller, control.CreateWebhook{
		Workspace: string(in.WorkspaceID), URL: in.URL, Kinds: given(in.Events), Description: clearable(in.Description),
	})
	return wire.RevealedWebhook{Webhook: webhookShown(made.Endpoint), Secret: made.Secret}, err
}

func (a *api) listWebhooks(x *exchange) (out wire.WebhookList, err error) {
	paging, err := x.query.paging()
	if err != nil {
		return out, err
	}
	workspace, err := x.query.word("workspaceId")
	if err != nil {
		return out, err
	}
	all, page, err := a.Control.ListWebhooks(x.ctx(), x.caller, workspace, paging)
	return wire.WebhookList{Webhooks: mapped(all, webhookShown), Pagination: pagination(page)}, err
}

func (a *api) getWebhook(x *exchange) (wire.WebhookResult, error) {
	e, err := a.Control.GetWebhook(x.ctx(), x.caller, x.r.PathValue("id"))
	return wire.WebhookResult{Webhook: webhookShown(e)}, err
}

func (a *api) updateWebhook(x *exchange, in wire.UpdateWebhook) (wire.UpdatedWebhook, error) {
	e, err := a.Control.UpdateWebhook(x.ctx(), x.caller, x.r.PathValue("id"), control.UpdateWebhook{
		URL: given(in.URL), Kinds: given(in.Events), Description: clearable(in.Description), IsActive: given(in.IsActive),
	})
	if e.URL == "" { // the caller may not read it
		return wire.UpdatedWebhook{Webhook: wire.UnseenWebhook{
			ID: string(e.ID), WorkspaceID: wire.TextOrNull(string(e.Workspace)), IsActive: e.IsActive,
			UpdatedAt: wire.Time(e.UpdatedAt),
		}}, err
	}
	return wire.UpdatedWebhook{Webhook: webhookShown(e)}, err
}

func (a *api) deleteWebhook(x *exchange) (wire.Deleted, error) {
	id := x.r.PathValue("id")
	return wire.Deleted{Deleted: []string{id}}, a.Control.DeleteWebhook(x.ctx(), x.caller, id)
}

func (a *api) rotateWebhook(x *exchange, in wire.RotateWebhookSecret) (wire.RevealedWebhook, error) {
	made, err := a.Control.RotateWebhook(x.ctx(), x.caller, x.r.PathValue("id"), given(in.OverlapSeconds))
	return wire.RevealedWebhook{Webhook: webhookShown(made.Endpoint), Secret: made.Secret}, err
}

func (a *api) testWebhook(x *exchange) (wire.DeliveryResult, error) {
	d, err := a.Control.TestWebhook(x.ctx(), x.caller, x.r.PathValue("id"))
	return wire.DeliveryResult{Delivery: deliveryShown(d)}, err
}

func (a *api) listDeliveries(x *exchange) (out wire.DeliveryList, err error) {
	paging, err := x.query.paging()
	if err != nil {
		return out, err
	}
	status, err := x.query.word("status")
	if err != nil {
		return out, err
	}
	all, page, err := a.Control.ListDeliveries(x.ctx(), x.caller, x.r.PathValue("id"), notice.State(status), paging)
	return wire.DeliveryList{Deliveries: mapped(all, deliveryShown), Pagination: pagination(page)}, err
}

func (a *api) replayDelivery(x *exchange) (wire.DeliveryResult, error) {
	d, err := a.Control.ReplayDelivery(x.ctx(), x.caller, x.r.PathValue("id"), x.r.PathValue("deliveryId"))
	return wire.DeliveryResult{Delivery: deliveryShown(d)}, err
}

func webhookShown(e notice.Endpoint) wire.Webhook {
	return wire.Webhook{
		ID: string(e.ID), WorkspaceID: wire.TextOrNull(string(e.Workspace)), URL: e.URL,
		Events:      mapped(e.Kinds, func(k notice.Kind) string { return string(k) }),
		Description: wire.TextOrNull(e.Description), IsActive: e.IsActive, DisabledReason: wire.TextOrNull(e.Reason),
		PreviousSecretUntil: wire.TimeOrNull(e.PreviousUntil), FailingSince: wire.TimeOrNull(e.FailingSince),
		LastDeliveredAt: wire.TimeOrNull(e.LastDelivered), CreatedBy: e.CreatedBy, CreatedAt: wire.Time(e.CreatedAt),
		UpdatedAt: wire.Time(e.UpdatedAt),
	}
}

func deliveryShown(d notice.Delivery) wire.Delivery {
	return wire.Delivery{
		ID: string(d.ID), WebhookID: string(d.Endpoint), EventID: d.Event, EventType: string(d.Kind),
		WorkspaceID: wire.TextOrNull(string(d.Workspace)), Status: string(d.State), Attempts: d.Attempts,
		ResponseStatus: wire.LimitOrNull(d.Status), Error: wire.TextOrNull(d.Error), IsReplay: d.IsReplay,
		CreatedAt: wire.Time(d.CreatedAt), LastAttemptAt: wire.TimeOrNull(d.Last), NextAttemptAt: wire.TimeOrNull(d.NextAt),
	}
}
