package wire

import "github.com/keyward/keyward/internal/strictjson"

// ImportAPIKeys is the body of POST /api-keys/import.
type ImportAPIKeys struct {
	WorkspaceID Place          `json:"workspaceId"`
	APIKeys     []ImportAPIKey `json:"apiKeys"`
}

// ImportAPIKey is one key to take in: as in a creation, and where SHA256 or Digest is given, under the value that
// people hold already.
type ImportAPIKey struct {
	CreateAPIKey
	IsActive  strictjson.Optional[bool]         `json:"isActive"`
	SHA256    strictjson.Optional[string]       `json:"sha256"`
	Digest    strictjson.Optional[ImportDigest] `json:"digest"`
	Generate  bool                              `json:"generate"`
	MaskedKey strictjson.Optional[string]       `json:"maskedKey"`
	Rehash    bool                              `json:"rehash"`
}

// ImportDigest is a digest as another system keeps it.
type ImportDigest struct {
	Algorithm string                      `json:"algorithm"`
	Value     string                      `json:"value"`
	Encoding  strictjson.Optional[string] `json:"encoding"`
	Secret    strictjson.Optional[string] `json:"secret"`
}

// ImportedAPIKeys answers an import.
type ImportedAPIKeys struct {
	Imported []ImportedAPIKey `json:"imported"`
	Errors   []ImportError    `json:"errors"`
}

// ImportedAPIKey is one key that came in, by its place in the request. Key is the minted value, null for one that was
// known by its digest.
type ImportedAPIKey struct {
	Index int     `json:"index"`
	ID    string  `json:"id"`
	Key   *string `json:"key"`
}

// ImportError says why the key at a place did not come in.
type ImportError struct {
	Index   int      `json:"index"`
	Error   string   `json:"error"`
	Details []Detail `json:"details"`
}
