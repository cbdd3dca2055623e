package dashboard

import (
	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
)

// found is a key as the palette of a page lists it.
type found struct {
	Name string `json:"name"`
	Text string `json:"text"`
	Path string `json:"path"`
}

// mostFound is how many keys the palette lists.
const mostFound = 6

// find answers the palette (Ctrl-K) with the keys that match a word, as far as the visitor sees keys.
func (d *Dashboard) find(v *request) error {
	out := []found{}
	if word := v.query("q"); word != "" && v.may.May(account.APIKeysRead) {
		keys, _, err := d.Control.ListKeys(v.r.Context(), v.Caller,
			control.ListKeys{Workspace: v.workspace(), Search: word, Paging: control.Paging{Limit: mostFound}})
		if err != nil {
			return err
		}
		for i := range keys {
			k := &keys[i]
			out = append(out, found{k.Name, k.Value.Masked, keyPath(k.ID)})
		}
	}
	return v.writeJSON(out)
}
