package httpapi

import (
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/wire"
)

const maxImport = 1000

func (a *api) importKeys(x *exchange, in wire.ImportAPIKeys) (wire.ImportedAPIKeys, error) {
	if err := counted("apiKeys", len(in.APIKeys), maxImport); err != nil {
		return wire.ImportedAPIKeys{}, err
	}
	if in.WorkspaceID == "" {
		return wire.ImportedAPIKeys{}, fault.Invalid("workspaceId", "must be given")
	}
	made, failed, err := a.Control.ImportKeys(x.ctx(), x.caller, in.WorkspaceID, mapped(in.APIKeys, importItem))
	return wire.ImportedAPIKeys{Imported: mapped(made, imported), Errors: mapped(failed, a.importError)}, err
}

func importItem(in wire.ImportAPIKey) control.ImportKey {
	return control.ImportKey{
		CreateKey: createInput(wire.CreateAPIKey{
			Name: in.Name, UserID: in.UserID, ExpiresAt: in.ExpiresAt, RateLimit: in.RateLimit, Permissions: in.Permissions,
			Environment: in.Environment, Description: in.Description, Metadata: in.Metadata, AllowedIPs: in.AllowedIPs,
		}),
		IsActive: given(in.IsActive), SHA256: in.SHA256, Masked: in.MaskedKey,
	}
}

// imported shows a minted value, this once.
func imported(k control.Imported) wire.ImportedAPIKey {
	out := wire.ImportedAPIKey{Index: k.Index, ID: string(k.ID)}
	if !k.Secret.IsZero() {
		value := k.Secret.Reveal()
		out.Key = &value
	}
	return out
}

func (a *api) importError(e control.ItemError) wire.ImportError {
	return wire.ImportError{Index: e.Index, Error: string(e.Fault.Code), Details: a.redact.details(e.Fault.Details)}
}
