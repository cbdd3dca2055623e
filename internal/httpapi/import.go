package httpapi

import (
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/wire"
)

const maxImport = 1000

func (a *api) importKeys(x *exchange, in wire.ImportAPIKeys) (wire.ImportedAPIKeys, error) {
	if err := counted("apiKeys", len(in.APIKeys), maxImport); err != nil {
		return wire.ImportedAPIKeys{}, err
	}
	made, failed, err := a.Control.ImportKeys(x.ctx(), x.caller, string(in.WorkspaceID), mapped(in.APIKeys, importItem))
	return wire.ImportedAPIKeys{Imported: mapped(made, imported), Errors: mapped(failed, a.importError)}, err
}

func importItem(in wire.ImportAPIKey) control.ImportKey {
	out := control.ImportKey{
		CreateKey: createInput(in.CreateAPIKey),
		IsActive:  given(in.IsActive), Generate: in.Generate, Masked: given(in.MaskedKey), Rehash: in.Rehash,
		TwoDigests: in.SHA256.Set && in.Digest.Set,
	}
	switch d := in.Digest.Value; {
	case in.SHA256.Set:
		out.Digest = &control.ImportDigest{Algorithm: keyfmt.SHA256, Value: in.SHA256.Value, Encoding: "hex", Short: true}
	case in.Digest.Set:
		out.Digest = &control.ImportDigest{
			Algorithm: d.Algorithm, Value: d.Value, Encoding: d.Encoding.Or("hex"), Secret: given(d.Secret),
		}
	}
	return out
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
