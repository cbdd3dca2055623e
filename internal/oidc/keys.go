package oidc

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
)

// minRSA is the shortest modulus in bits: RFC 7518 (section 3.3) asks for 2048 or more.
const minRSA = 2048

// trustworthy gives a set of keys (RFC 7517) without those that no signature may be checked with, and why each of the
// others was left out.
func trustworthy(set []byte) (kept []byte, refused []string, err error) {
	var all struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(set, &all); err != nil {
		return nil, nil, fmt.Errorf("are no set of keys: %w", err)
	}
	good := make([]json.RawMessage, 0, len(all.Keys))
	for _, raw := range all.Keys {
		if reason := unfit(raw); reason != "" {
			refused = append(refused, reason)
			continue
		}
		good = append(good, raw)
	}
	kept, err = json.Marshal(map[string]any{"keys": good})
	return kept, refused, err
}

// CountKeys tells how many keys of a set (RFC 7517) may check signatures, and why each of the others may not.
func CountKeys(set []byte) (good int, refused []string, err error) {
	kept, refused, err := trustworthy(set)
	if err != nil {
		return 0, nil, err
	}
	var left struct {
		Keys []json.RawMessage `json:"keys"`
	}
	err = json.Unmarshal(kept, &left)
	return len(left.Keys), refused, err
}

// unfit says why a key must not check signatures, or "".
func unfit(raw json.RawMessage) string {
	var key struct {
		Type    string   `json:"kty"`
		ID      string   `json:"kid"`
		Use     string   `json:"use"`
		For     []string `json:"key_ops"`
		Modulus string   `json:"n"`
	}
	if err := json.Unmarshal(raw, &key); err != nil {
		return "a key cannot be read"
	}
	switch {
	case key.Use != "" && key.Use != "sig":
		return fmt.Sprintf("key %.40q is for %.20q, not for signatures", key.ID, key.Use)
	case key.For != nil && !slices.Contains(key.For, "verify"):
		return fmt.Sprintf("key %.40q is not for checking signatures (key_ops)", key.ID)
	case key.Type == "RSA":
		n, err := base64.RawURLEncoding.DecodeString(key.Modulus)
		if bits := new(big.Int).SetBytes(n).BitLen(); err != nil || bits < minRSA {
			return fmt.Sprintf("key %.40q has %d bits, and an RSA key needs %d", key.ID, bits, minRSA)
		}
	}
	return ""
}
