package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/store"
)

// CreateWebhook asks for a webhook.
type CreateWebhook struct {
	Workspace   string // "" for the caller's own; for a service key the installation
	URL         string
	Kinds       Optional[[]string] // absent: all
	Description Optional[string]
}

// UpdateWebhook changes the given fields.
type UpdateWebhook struct {
	URL         Optional[string]
	Kinds       Optional[[]string]
	Description Optional[string]
	IsActive    Optional[bool]
}

// RevealedWebhook is a webhook with its secret, which is shown in this answer alone.
type RevealedWebhook struct {
	notice.Endpoint
	Secret string
}

// WebhookSecrets is the purpose under which the secrets of webhooks are sealed.
const WebhookSecrets = "webhook secret"

// CreateWebhook makes a webhook: of a workspace for a caller who may read its log, of the installation for a service
// key that may manage all of it. Its notices tell what the log tells.
func (s *Service) CreateWebhook(ctx context.Context, c Caller, in CreateWebhook) (RevealedWebhook, error) {
	var out RevealedWebhook
	err := s.update(ctx, c.in(in.Workspace), func(tx *store.Tx, a *actor) error {
		ws, err := s.webhookPlace(tx.View, a, in.Workspace, opensWebhooks...)
		if err != nil {
			return err
		}
		if err := a.mayKeepWebhook(); err != nil {
			return err
		}
		e := notice.Endpoint{ID: id.Webhook(s.ids.Next()), Workspace: ws, Kinds: notice.Kinds(), IsActive: true,
			CreatedBy: a.id(), CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
		if err := s.webhookFields(&e,
			UpdateWebhook{URL: Some(in.URL), Kinds: in.Kinds, Description: in.Description}); err != nil {
			return err
		}
		n, err := tx.WebhookTotal(ws)
		if err != nil {
			return err
		}
		if n >= notice.MaxEndpoints {
			return fault.New(fault.LimitReached, fmt.Sprintf("there are %d webhooks already", notice.MaxEndpoints),
				fault.Detail{Field: "webhooks", Message: "delete one first"})
		}
		if out, err = s.newWebhookSecret(e); err != nil {
			return err
		}
		if err := s.record(tx, a, change{kind: audit.WebhookCreated, workspace: ws, target: string(e.ID),
			sentence: "webhook to " + notice.Origin(e.URL) + " created", after: webhookShown(&e)}); err != nil {
			return err
		}
		return tx.PutWebhook(out.Endpoint)
	})
	return out, err
}

// newWebhookSecret gives a webhook a new secret, sealed.
func (s *Service) newWebhookSecret(e notice.Endpoint) (RevealedWebhook, error) {
	secret, err := notice.NewSecret(s.rand)
	if err != nil {
		return RevealedWebhook{}, err
	}
	pepper, sealed, err := s.digester.Seal(WebhookSecrets, secret, []byte(e.ID))
	if err != nil {
		return RevealedWebhook{}, fmt.Errorf("seal the secret of a webhook: %w", err)
	}
	e.Pepper, e.Secret = string(pepper), sealed
	return RevealedWebhook{Endpoint: e, Secret: notice.SecretText(secret)}, nil
}

// ListWebhooks gives a page of webhooks, newest first: of a workspace, or of the installation.
func (s *Service) ListWebhooks(ctx context.Context, c Caller, workspace string,
	in Paging) ([]notice.Endpoint, Page, error) {
	return listed(ctx, s, c, func(v *store.View, a *actor) ([]notice.Endpoint, Page, error) {
		ws, err := s.webhookPlace(v, a, workspace, account.IntegrationsRead)
		if err != nil {
			return nil, Page{}, err
		}
		return paged(s, "webhooks\x00"+string(ws), in, func(e notice.Endpoint) string { return string(e.ID) },
			func(p store.Page) ([]notice.Endpoint, error) { return v.Webhooks(ws, p) })
	})
}

// GetWebhook shows one webhook.
func (s *Service) GetWebhook(ctx context.Context, c Caller, webhook string) (notice.Endpoint, error) {
	var out notice.Endpoint
	err := s.view(ctx, c, func(v *store.View, a *actor) (err error) {
		out, err = s.webhookFor(v, a, webhook, account.IntegrationsRead)
		return err
	})
	return out, storageFault(err)
}

// UpdateWebhook changes a webhook. Switching it off needs no right to read the log or the webhook. A caller who may not
// read it gets its id and whether it is on: what GetWebhook does not show, no other answer shows.
func (s *Service) UpdateWebhook(ctx context.Context, c Caller, webhook string,
	in UpdateWebhook) (notice.Endpoint, error) {
	var out notice.Endpoint
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) (err error) {
		if out, err = s.updateWebhook(tx, a, webhook, in); err == nil && s.need(a, account.IntegrationsRead) != nil {
			out = notice.Endpoint{ID: out.ID, Workspace: out.Workspace, IsActive: out.IsActive, UpdatedAt: out.UpdatedAt}
		}
		return err
	})
	return out, err
}

func (s *Service) updateWebhook(tx *store.Tx, a *actor, webhook string, in UpdateWebhook) (notice.Endpoint, error) {
	needs := changesWebhooks
	if !in.URL.Set && !in.Kinds.Set && !in.Description.Set && in.IsActive.Set && !in.IsActive.Value {
		needs = []string{account.IntegrationsWebhook}
	}
	was, err := s.webhookFor(tx.View, a, webhook, needs...)
	if err != nil {
		return was, err
	}
	if len(needs) > 1 {
		if err := a.mayKeepWebhook(); err != nil {
			return was, err
		}
	}
	e := was
	if err := s.webhookFields(&e, in); err != nil {
		return was, err
	}
	if e.URL == was.URL && unchanged(webhookShown(&was), webhookShown(&e)) {
		return was, nil
	}
	e.UpdatedAt = tx.Now()
	var note fields
	if e.URL != was.URL {
		note = fields{"urlChanged": true}
	}
	err = s.record(tx, a, change{kind: audit.WebhookUpdated, workspace: e.Workspace, target: string(e.ID),
		free: !e.IsActive, sentence: "webhook to " + notice.Origin(e.URL) + " updated", note: note,
		before: webhookShown(&was), after: webhookShown(&e)})
	if err != nil {
		return was, err
	}
	if err := tx.UpdateWebhook(e); err != nil {
		return was, err
	}
	return tx.Webhook(e.ID)
}

// DeleteWebhook takes a webhook away, with its waiting deliveries.
func (s *Service) DeleteWebhook(ctx context.Context, c Caller, webhook string) error {
	return s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		e, err := s.webhookFor(tx.View, a, webhook, account.IntegrationsWebhook)
		if err != nil {
			return err
		}
		if err := tx.DeleteWebhook(e.ID); err != nil {
			return err
		}
		return s.record(tx, a, change{kind: audit.WebhookDeleted, workspace: e.Workspace, target: string(e.ID),
			sentence: "webhook to " + notice.Origin(e.URL) + " deleted", before: webhookShown(&e)})
	})
}

// RotateWebhook gives a webhook a new secret. Notices are signed under the former one, too, for the overlap.
func (s *Service) RotateWebhook(
	ctx context.Context, c Caller, webhook string, overlap Optional[int64],
) (RevealedWebhook, error) {
	var out RevealedWebhook
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		was, err := s.webhookFor(tx.View, a, webhook, changesWebhooks...)
		if err != nil {
			return err
		}
		if err := a.mayKeepWebhook(); err != nil {
			return err
		}
		seconds := int64(notice.DefaultOverlap / time.Second)
		if overlap.Set {
			seconds = overlap.Value
		}
		if seconds < 0 || seconds > int64(notice.MaxOverlap/time.Second) {
			return fault.Invalid("overlapSeconds", "must be between 0 and %d", int64(notice.MaxOverlap/time.Second))
		}
		former, err := s.sealedAnew(&was)
		if err != nil {
			return err
		}
		if out, err = s.newWebhookSecret(was); err != nil {
			return err
		}
		out.Previous, out.PreviousUntil, out.UpdatedAt = nil, time.Time{}, tx.Now()
		if seconds > 0 {
			out.Previous, out.PreviousUntil = former, tx.Now().Add(time.Duration(seconds)*time.Second)
		}
		err = s.record(tx, a, change{kind: audit.WebhookRotated, workspace: was.Workspace, target: string(was.ID),
			sentence: "secret of the webhook to " + notice.Origin(was.URL) + " rotated",
			note:     fields{"overlapSeconds": seconds}})
		if err != nil {
			return err
		}
		return tx.UpdateWebhook(out.Endpoint)
	})
	return out, err
}

// sealedAnew is the secret of a webhook under the present pepper.
func (s *Service) sealedAnew(e *notice.Endpoint) ([]byte, error) {
	about := []byte(e.ID)
	secret, err := s.digester.Unseal(pepperID(e.Pepper), WebhookSecrets, e.Secret, about)
	if err != nil {
		return nil, fmt.Errorf("read the secret of a webhook: %w", err)
	}
	_, sealed, err := s.digester.Seal(WebhookSecrets, secret, about)
	return sealed, err
}

// TestWebhook queues a notice that tells of nothing, for this webhook alone.
func (s *Service) TestWebhook(ctx context.Context, c Caller, webhook string) (notice.Delivery, error) {
	return s.addDelivery(ctx, c, webhook, audit.WebhookTested,
		func(tx *store.Tx, e *notice.Endpoint) (notice.Delivery, error) {
			data := map[string]any{"webhookId": string(e.ID), "workspaceId": orNull(string(e.Workspace))}
			body, err := notice.Body(notice.Test, tx.Now(), data)
			return notice.Delivery{
				Event: s.ids.Next(), Kind: notice.Test, Workspace: e.Workspace, Object: string(e.ID), Body: body,
			}, err
		})
}

// ReplayDelivery queues a notice once more, with the same id and body.
func (s *Service) ReplayDelivery(ctx context.Context, c Caller, webhook, delivery string) (notice.Delivery, error) {
	return s.addDelivery(ctx, c, webhook, audit.WebhookReplayed,
		func(tx *store.Tx, e *notice.Endpoint) (notice.Delivery, error) {
			if _, ok := id.Parse(delivery); !ok {
				return notice.Delivery{}, fault.Missing()
			}
			was, err := tx.Delivery(e.ID, id.Delivery(delivery))
			if err != nil {
				return was, err
			}
			if was.State == notice.Pending {
				return was, fault.New(fault.Conflict, "this delivery has not ended: it is tried again by itself",
					fault.Detail{Field: "deliveryId", Message: "is pending"})
			}
			return notice.Delivery{Event: was.Event, Kind: was.Kind, Workspace: was.Workspace, Object: was.Object,
				Body:     was.Body,
				IsReplay: true}, nil
		})
}

func (s *Service) addDelivery(ctx context.Context, c Caller, webhook string, kind audit.Type,
	what func(*store.Tx, *notice.Endpoint) (notice.Delivery, error)) (notice.Delivery, error) {
	var out notice.Delivery
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		e, err := s.webhookFor(tx.View, a, webhook, opensWebhooks...)
		if err != nil {
			return err
		}
		if !e.IsActive {
			return fault.New(fault.Conflict, "this webhook is switched off",
				fault.Detail{Field: "isActive", Message: "is false"})
		}
		d, err := what(tx, &e)
		if err != nil {
			return err
		}
		d.ID, d.Endpoint = id.Delivery(s.ids.Next()), e.ID
		if out, err = tx.AddDelivery(d); errors.Is(err, store.ErrQueueFull) {
			err = fault.New(fault.LimitReached, fmt.Sprintf("%d deliveries wait for this webhook", notice.MaxPending),
				fault.Detail{Field: "deliveries", Message: "wait to be sent"})
		}
		if err != nil {
			return err
		}
		verb := "tested"
		if d.IsReplay {
			verb = "sent a notice again"
		}
		return s.record(tx, a, change{kind: kind, workspace: e.Workspace, target: string(e.ID),
			sentence: "webhook to " + notice.Origin(e.URL) + " " + verb,
			note:     fields{"delivery": string(out.ID), "event": out.Event}})
	})
	return out, err
}

// ListDeliveries gives a page of the deliveries of a webhook, newest first.
func (s *Service) ListDeliveries(
	ctx context.Context, c Caller, webhook string, state notice.State, in Paging,
) ([]notice.Delivery, Page, error) {
	return listed(ctx, s, c, func(v *store.View, a *actor) ([]notice.Delivery, Page, error) {
		e, err := s.webhookFor(v, a, webhook, account.IntegrationsRead, account.WorkspaceLogsRead)
		if err != nil {
			return nil, Page{}, err
		}
		if state != "" && !slices.Contains([]notice.State{notice.Pending, notice.Delivered, notice.Failed}, state) {
			return nil, Page{}, fault.Invalid("status", "must be pending, delivered or failed")
		}
		return paged(s, "deliveries\x00"+string(e.ID)+"\x00"+string(state), in,
			func(d notice.Delivery) string { return fmt.Sprint(d.Number) },
			func(p store.Page) ([]notice.Delivery, error) {
				after, err := number(cmp.Or(p.After, "0"))
				if err != nil {
					return nil, err
				}
				return v.Deliveries(e.ID, state, after, p.Limit)
			})
	})
}

// DisableWebhook switches a webhook off in Keyward's own name, because notices to it could not be delivered.
func (s *Service) DisableWebhook(ctx context.Context, w id.Webhook, reason string) error {
	_, err := s.db.Update(ctx, func(tx *store.Tx) error {
		was, err := tx.Webhook(w)
		if err != nil {
			return err
		}
		if !was.IsActive {
			return nil
		}
		e := was
		e.IsActive, e.Reason, e.UpdatedAt = false, reason, tx.Now()
		err = s.record(tx, itself(),
			change{kind: audit.WebhookDisabled, workspace: e.Workspace, target: string(e.ID), free: true,
				sentence: "webhook to " + notice.Origin(e.URL) + " switched off: " + reason,
				before:   webhookShown(&was), after: webhookShown(&e), note: fields{"reason": reason}})
		if err != nil {
			return err
		}
		return tx.UpdateWebhook(e)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
