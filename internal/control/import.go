package control

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/text"
)

// ImportKeys makes many keys of one workspace in one transaction, each for itself, with new values or under the SHA-256 of values
// that exist. Only a service key may: who gives a digest knows the value. The rules of creation hold for each.
func (s *Service) ImportKeys(ctx context.Context, c Caller, workspace string, items []ImportKey) (done []Imported, failed []ItemError, err error) {
	err = s.update(ctx, c, func(tx *store.Tx, a *actor) (err error) {
		if a.service == nil {
			return scopeDenied(account.ScopeManage)
		}
		if _, err := s.at(tx.View, a, workspace); err != nil {
			return err
		}
		all := bulk[ImportKey, Imported]{tx: tx, items: items, name: func(ImportKey) string { return "" },
			do: func(index int, in ImportKey) (Imported, error) {
				in.Workspace = workspace
				one, err := s.importKey(tx, a, in)
				one.Index = index
				return one, err
			}}
		done, failed, err = all.run()
		return err
	})
	return done, failed, err
}

func (s *Service) importKey(tx *store.Tx, a *actor, in ImportKey) (Imported, error) {
	d, err := s.draft(tx.View, a, in.CreateKey)
	if err != nil {
		return Imported{}, err
	}
	if in.IsActive.Set && !in.IsActive.Value {
		d.Disable(a.mark(&d.Key, tx.Now()))
	}
	var secret keyfmt.Secret
	if in.SHA256 == "" {
		if secret, err = s.format.Mint(s.rand, d.Environment); err != nil {
			return Imported{}, fmt.Errorf("mint: %w", err)
		}
		d.Value = apikey.Value{Digest: s.digester.Store(secret), Masked: s.format.Mask(secret)}
	} else if d.Value, err = s.importedValue(in); err != nil {
		return Imported{}, err
	}
	err = s.insert(tx, a, &d, fields{"imported": true})
	if errors.Is(err, store.ErrDuplicate) {
		return Imported{}, fault.New(fault.Conflict, "a key with this digest exists", fault.Detail{Field: "sha256", Message: "is taken"})
	}
	return Imported{ID: d.ID, Secret: secret}, err
}

// importedValue takes over a digest that was made elsewhere. It is a plain SHA-256, so an installation with a pepper must admit those.
func (s *Service) importedValue(in ImportKey) (apikey.Value, error) {
	sum, err := hex.DecodeString(in.SHA256)
	if err != nil || len(sum) != 32 {
		return apikey.Value{}, fault.Invalid("sha256", "want the 64 hexadecimal digits of the whole key's SHA-256")
	}
	if !s.digester.Knows(keyfmt.NoPepper) {
		return apikey.Value{}, fault.Invalid("sha256", "digests without a pepper are not admitted here; see KEYWARD_PEPPER_PREVIOUS")
	}
	masked, err := text.Line(in.Masked, 64)
	if err != nil {
		return apikey.Value{}, fault.Invalid("maskedKey", "%v", err)
	}
	if err := noCredential("maskedKey", masked); err != nil {
		return apikey.Value{}, err
	}
	if strings.TrimSpace(masked) == "" {
		masked = s.format.Prefix() + "_…"
	}
	return apikey.Value{Digest: keyfmt.Stored{Pepper: keyfmt.NoPepper, Sum: keyfmt.Digest(sum)}, Masked: masked}, nil
}
