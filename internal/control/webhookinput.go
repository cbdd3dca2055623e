package control

import (
	"errors"
	"slices"
	"strconv"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/store"
)

// opensWebhooks are the permissions for operations that let notices out: a notice repeats an event of the log.
var opensWebhooks = []string{account.IntegrationsWebhook, account.WorkspaceLogsRead}

// changesWebhooks are those for operations that also show the webhook in their answer.
var changesWebhooks = append([]string{account.IntegrationsRead}, opensWebhooks...)

// webhookPlace finds the workspace whose webhooks an operation is about; "" is the installation, for a service key that
// names no workspace.
func (s *Service) webhookPlace(v *store.View, a *actor, named string, permissions ...string) (id.Workspace, error) {
	if a.service != nil && named == "" && a.Within == "" {
		return "", a.installation("a key that is bound names a workspace: the webhooks of the installation tell of all")
	}
	ws, err := s.resolveWorkspace(v, a, named)
	if err != nil {
		return "", err
	}
	return ws.ID, s.allowedAll(a, permissions)
}

func (s *Service) allowedAll(a *actor, permissions []string) error {
	for _, p := range permissions {
		if err := a.wholly(p); err != nil {
			return err
		}
	}
	return s.need(a, permissions...)
}

// webhookFor finds a webhook that the caller may act on.
func (s *Service) webhookFor(v *store.View, a *actor, webhook string, permissions ...string) (notice.Endpoint, error) {
	for _, p := range permissions {
		if err := s.requireAnywhere(v, a, p); err != nil {
			return notice.Endpoint{}, err
		}
	}
	if _, ok := id.Parse(webhook); !ok {
		return notice.Endpoint{}, fault.Missing()
	}
	e, err := v.Webhook(id.Webhook(webhook))
	if errors.Is(err, store.ErrNotFound) {
		return e, fault.Missing()
	}
	if err != nil {
		return e, err
	}
	if e.Workspace == "" {
		if a.Within != "" || a.service == nil || !a.reach.All() {
			return e, fault.Missing()
		}
		return e, nil
	}
	if err := s.switchWorkspace(v, a, e.Workspace); err != nil {
		return e, err
	}
	return e, s.allowedAll(a, permissions)
}

// mayKeepWebhook refuses an API key with bounds, and an earlier value: a webhook has none of them, and goes on when
// they have ended.
func (a *actor) mayKeepWebhook() error {
	if err := a.mayLast(); err != nil {
		return err
	}
	b := a.bound
	if b == nil || b.ExpiresAt.IsZero() && b.AllowedIPs == nil && b.Limits.PerMinute == 0 && b.Limits.PerDay == 0 {
		return nil
	}
	return fault.New(fault.PermissionDenied, "an API key with an expiry, limits or networks opens no webhook",
		fault.Detail{Field: "Authorization", Message: "the key that calls has bounds, and a webhook has none"})
}

// webhookFields brings the given fields into a webhook.
func (s *Service) webhookFields(e *notice.Endpoint, in UpdateWebhook) error {
	var bad []error
	if in.URL.Set {
		e.URL = in.URL.Value
		if err := s.networks.CheckURL(in.URL.Value); err != nil {
			bad = append(bad, fault.Invalid("url", "%v", err))
		}
		bad = append(bad, noCredential("url", in.URL.Value))
	}
	if in.Description.Set {
		var err error
		e.Description, err = lineInput("description", in.Description, maxDescription)
		bad = append(bad, err)
	}
	if in.Kinds.Set {
		var err error
		e.Kinds, err = kindsInput("events", in.Kinds)
		bad = append(bad, err)
	}
	if in.IsActive.Set {
		if e.IsActive && !in.IsActive.Value {
			e.Reason = ""
		}
		e.IsActive = in.IsActive.Value
	}
	return fault.All(bad...)
}

// kindsInput reads the chosen kinds of notices, each once, in their order. An empty list is refused: left out, it is
// all.
func kindsInput(field string, in Optional[[]string]) ([]notice.Kind, error) {
	if in.Null || len(in.Value) == 0 {
		return nil, fault.Invalid(field, "must name at least one; leave it out for all")
	}
	chosen := map[notice.Kind]bool{}
	var bad []error
	for i, name := range in.Value {
		k := notice.Kind(name)
		if !slices.Contains(notice.Kinds(), k) {
			bad = append(bad, fault.Invalid(indexed(field, i), "is not a kind of notice"))
		}
		chosen[k] = true
	}
	if err := fault.All(bad...); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(notice.Kinds(), func(k notice.Kind) bool { return !chosen[k] }), nil
}

// webhookShown shows a webhook in an event: without the path of its URL, which may be a secret of the receiver.
func webhookShown(e *notice.Endpoint) fields {
	return fields{
		"origin": notice.Origin(e.URL), "events": e.Kinds, "description": orNull(e.Description), "isActive": e.IsActive,
	}
}

func pepperID(name string) keyfmt.PepperID { return keyfmt.PepperID(name) }

func number(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) }
