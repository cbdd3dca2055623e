package store

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

// keptBounds is how bounds are written: JSON in which a list that confines nothing is left out, and one that admits
// nothing is empty.
type keptBounds struct {
	Workspaces   []id.Workspace       `json:"workspaces,omitzero"`
	Environments []keyfmt.Environment `json:"environments,omitzero"`
	Networks     []netip.Prefix       `json:"networks,omitzero"`

	FollowerModes []account.FollowerMode `json:"followerModes,omitempty"` // of a service key
}

// encodeServiceKey writes the bounds of a service key, and what its followers may do.
func encodeServiceKey(k *account.ServiceKey) (string, error) {
	if len(k.FollowerModes) == 0 {
		return encodeBounds(k.Bounds)
	}
	text, err := json.Marshal(
		keptBounds{k.Bounds.Workspaces, k.Bounds.Environments, k.Bounds.AllowedIPs, k.FollowerModes},
	)
	return string(text), err
}

// decodeServiceKey reads what encodeServiceKey wrote.
func decodeServiceKey(text string, k *account.ServiceKey) error {
	kept, err := decodeKept(text)
	k.Bounds, k.FollowerModes = kept.bounds(), kept.FollowerModes
	return err
}

func encodeBounds(b account.Bounds) (string, error) {
	if b.None() {
		return "", nil
	}
	text, err := json.Marshal(keptBounds{Workspaces: b.Workspaces, Environments: b.Environments, Networks: b.AllowedIPs})
	return string(text), err
}

func decodeBounds(text string) (account.Bounds, error) {
	kept, err := decodeKept(text)
	return kept.bounds(), err
}

// decodeKept fails for a text that it cannot read: lost bounds would open everything.
func decodeKept(text string) (kept keptBounds, err error) {
	if text == "" {
		return kept, nil
	}
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return keptBounds{}, fmt.Errorf("bounds: %w", err)
	}
	return kept, nil
}

func (k *keptBounds) bounds() account.Bounds {
	return account.Bounds{
		Reach: account.Reach{Workspaces: k.Workspaces, Environments: k.Environments}, AllowedIPs: k.Networks,
	}
}
