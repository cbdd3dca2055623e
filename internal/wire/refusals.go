package wire

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Refusals answers with the latest refusals, the newest first.
type Refusals struct {
	Refusals []Refusal `json:"refusals"`
}

// Refusal is a verification that refused a key. KeyID and Name stand in the list of a workspace.
type Refusal struct {
	At          Time     `json:"at"`
	WorkspaceID string   `json:"workspaceId,omitempty"` // in the list of the installation
	KeyID       string   `json:"keyId,omitzero"`
	Name        string   `json:"name,omitzero"`
	Code        string   `json:"code"`
	Why         string   `json:"why"`
	Demanded    Demanded `json:"demanded"`
	IP          *string  `json:"ip"`
	Value       string   `json:"value"`
}

// Demanded is a demand as a verification takes it: a list of which all are wanted, or all and any where one of some is
// enough.
type Demanded struct{ All, Any []string }

// MarshalJSONTo writes either form.
func (d Demanded) MarshalJSONTo(e *jsontext.Encoder) error {
	if len(d.Any) == 0 {
		return json.MarshalEncode(e, d.All)
	}
	return json.MarshalEncode(e, struct {
		All []string `json:"all"`
		Any []string `json:"any"`
	}{d.All, d.Any})
}
