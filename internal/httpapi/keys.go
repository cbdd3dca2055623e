package httpapi

import (
	"fmt"
	"net/netip"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/strictjson"
	"github.com/keyward/keyward/internal/wire"
)

const maxBulk = 100

func (a *api) createKey(x *exchange, in wire.CreateAPIKey) (wire.RevealedAPIKey, error) {
	wanted := createInput(in)
	var err error
	if wanted.Once, err = x.idempotency(); err != nil {
		return wire.RevealedAPIKey{}, err
	}
	made, err := a.Control.CreateKey(x.ctx(), x.caller, wanted)
	if err != nil {
		return wire.RevealedAPIKey{}, err
	}
	shown, value := a.revealed(x, made)
	return wire.RevealedAPIKey{APIKey: shown, Key: value}, nil
}

func createInput(in wire.CreateAPIKey) control.CreateKey {
	return control.CreateKey{
		Workspace: string(in.WorkspaceID), User: in.UserID, Name: in.Name,
		Permissions: given(in.Permissions), Environment: given(in.Environment),
		ExpiresAt: clearable(in.ExpiresAt), RateLimit: limitsGiven(in.RateLimit), Description: clearable(in.Description),
		Metadata:   rawObject(strictjson.Nullable[strictjson.Object]{Set: in.Metadata.Set, Value: in.Metadata.Value}),
		AllowedIPs: given(in.AllowedIPs),
	}
}

// idempotency reads the header and derives key material from the credential of the request. The header's form is
// checked here where it is empty or doubled, which the control plane cannot see.
func (x *exchange) idempotency() (none control.Idempotency, err error) {
	values := x.r.Header.Values("Idempotency-Key")
	switch {
	case len(values) == 0:
		return none, nil
	case len(values) > 1:
		return none, fault.Invalid("Idempotency-Key", "stands more than once")
	case values[0] == "":
		return none, fault.Invalid("Idempotency-Key", "want 1 to 255 visible ASCII characters")
	}
	credential, err := bearer(x.r.Header)
	if err != nil {
		return none, err
	}
	if x.through != "" {
		credential = x.token
	}
	return control.Idempotency{Key: values[0], Material: keyfmt.MaterialOf(credential)}, nil
}

func (a *api) getKey(x *exchange) (wire.APIKeyResult, error) {
	k, err := a.Control.GetKey(x.ctx(), x.caller, x.r.PathValue("id"))
	return wire.APIKeyResult{APIKey: a.apiKey(k)}, err
}

func (a *api) selfKey(x *exchange) (wire.APIKeyResult, error) {
	k, err := a.Control.SelfKey(x.ctx(), x.caller)
	return wire.APIKeyResult{APIKey: a.apiKey(k)}, err
}

func (a *api) updateKeys(x *exchange, in wire.UpdateAPIKeys) (wire.UpdatedAPIKeys, error) {
	if err := counted("apiKeys", len(in.APIKeys), maxBulk); err != nil {
		return wire.UpdatedAPIKeys{}, err
	}
	for i, item := range in.APIKeys {
		if item.ID == "" {
			return wire.UpdatedAPIKeys{}, fault.Invalid(fmt.Sprintf("apiKeys[%d].id", i), "must be given")
		}
	}
	updated, failed, err := a.Control.UpdateKeys(x.ctx(), x.caller, mapped(in.APIKeys, updateItem))
	return wire.UpdatedAPIKeys{
		Updated: mapped(updated, a.apiKey), Errors: a.itemErrors(failed), Revocation: x.revocation(err),
	}, err
}

func updateItem(in wire.UpdateAPIKey) control.UpdateKey {
	return control.UpdateKey{
		ID: string(in.ID), Name: given(in.Name), IsActive: given(in.IsActive), ExpiresAt: clearable(in.ExpiresAt),
		RateLimit: limitsGiven(in.RateLimit), Description: clearable(in.Description), Metadata: rawObject(in.Metadata),
		AllowedIPs: clearable(in.AllowedIPs), Permissions: bool(in.Permissions),
	}
}

func (a *api) deleteKeys(x *exchange, in wire.DeleteAPIKeys) (wire.DeletedAPIKeys, error) {
	if err := counted("ids", len(in.IDs), maxBulk); err != nil {
		return wire.DeletedAPIKeys{}, err
	}
	deleted, failed, err := a.Control.DeleteKeys(x.ctx(), x.caller, mapped(in.IDs, idText))
	return wire.DeletedAPIKeys{Deleted: listed(deleted), Errors: a.itemErrors(failed), Revocation: x.revocation(err)}, err
}

func (a *api) deleteKey(x *exchange) (wire.Revoked, error) {
	key := x.r.PathValue("id")
	err := a.Control.DeleteKey(x.ctx(), x.caller, key)
	return wire.Revoked{Deleted: []string{key}, Revocation: x.revocation(err)}, err
}

func (a *api) rotateKey(x *exchange, in wire.RotateAPIKey) (wire.RotatedAPIKey, error) {
	once, err := x.idempotency()
	if err != nil {
		return wire.RotatedAPIKey{}, err
	}
	made, err := a.Control.RotateKeyOnce(x.ctx(), x.caller, x.r.PathValue("id"), in.OverlapSeconds.Value, once)
	if err != nil {
		return wire.RotatedAPIKey{}, err
	}
	shown, value := a.revealed(x, made)
	return wire.RotatedAPIKey{APIKey: shown, Key: value, Revocation: x.revocation(nil)}, nil
}

func (a *api) rotateSelf(x *exchange, in wire.RotateAPIKey) (wire.RotatedAPIKey, error) {
	once, err := x.idempotency()
	if err != nil {
		return wire.RotatedAPIKey{}, err
	}
	made, err := a.Control.RotateSelf(x.ctx(), x.caller, in.OverlapSeconds.Value, once)
	if err != nil {
		return wire.RotatedAPIKey{}, err
	}
	shown, value := a.revealed(x, made)
	return wire.RotatedAPIKey{APIKey: shown, Key: value, Revocation: x.revocation(nil)}, nil
}

func (a *api) listPermissions(x *exchange) (wire.PermissionList, error) {
	if x.caller.Within != "" {
		if err := a.Control.Stands(x.ctx(), x.caller); err != nil {
			return wire.PermissionList{}, err
		}
	}
	return wire.PermissionList{Permissions: mapped(a.Catalogue.Entries(), func(e perm.Entry) wire.Permission {
		return wire.Permission{Name: e.Name(), Resource: e.Resource, Action: e.Action, Description: e.Description}
	})}, nil
}

// revealed shows a new value: together with apiKey.key, this is the only place where one leaves the house. A repeated
// request may have none to show.
func (a *api) revealed(x *exchange, made control.Revealed) (wire.APIKey, *string) {
	shown := a.apiKey(made.Key)
	if made.Replayed {
		x.message = "An earlier request with this Idempotency-Key did this; its value is not shown again"
	}
	if made.Secret.IsZero() {
		return shown, nil
	}
	if made.Replayed {
		x.message = "An earlier request with this Idempotency-Key did this; this is its value"
	}
	shown.Key = made.Secret.Reveal()
	return shown, &shown.Key
}

// apiKey shows a key, masked.
func (a *api) apiKey(k control.Key) wire.APIKey {
	return wire.APIKey{
		ID: string(k.ID), Key: k.Value.Masked, WorkspaceID: string(k.Workspace), UserID: string(k.User), Name: k.Name,
		IsActive: k.IsActive, CreatedAt: wire.Time(k.CreatedAt), UpdatedAt: wire.Time(k.UpdatedAt),
		LastUsedAt: wire.TimeOrNull(k.LastUsedAt), ExpiresAt: wire.TimeOrNull(k.ExpiresAt),
		RateLimit:   rateLimit(k.Limits),
		Permissions: a.Catalogue.Names(k.Permissions),
		Creator:     creator(k.Creator),
		Environment: string(k.Environment), Description: wire.TextOrNull(k.Description), Metadata: wire.Object(k.Metadata),
		AllowedIPs: mapped(k.AllowedIPs, netip.Prefix.String), PreviousKeys: a.previousKeys(k.Previous),
		DisabledBy: wire.TextOrNull(k.Disabled.By), DisabledAt: wire.TimeOrNull(k.Disabled.At),
		LastTriedAt: wire.TimeOrNull(k.LastTriedAt), WorkspaceName: k.WorkspaceName,
	}
}

func creator(c control.Creator) wire.Creator {
	return wire.Creator{ID: string(c.ID), Email: wire.TextOrNull(c.Email), DisplayName: wire.TextOrNull(c.DisplayName)}
}

func rateLimit(l ratelimit.Limits) wire.RateLimit {
	return wire.RateLimit{RequestsPerMinute: wire.LimitOrNull(l.PerMinute), RequestsPerDay: wire.LimitOrNull(l.PerDay)}
}

// previousKeys shows the earlier values that still work.
func (a *api) previousKeys(values []apikey.Value) []wire.PreviousKey {
	out, now := []wire.PreviousKey{}, a.Clock()
	for _, v := range values {
		if v.Until.After(now) {
			out = append(out, wire.PreviousKey{
				Key: v.Masked, ExpiresAt: wire.Time(v.Until), LastUsedAt: wire.TimeOrNull(v.LastUsedAt),
				LastUsedFrom: wire.TextOrNull(v.LastUsedFrom),
			})
		}
	}
	return out
}
