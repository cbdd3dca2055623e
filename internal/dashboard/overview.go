package dashboard

import (
	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
)

type overviewBody struct {
	Standings control.Standings
	Active    string
	Sees      bool // keys at all
}

// overview is the workspace at a glance.
func (d *Dashboard) overview(v *visit) error {
	var b overviewBody
	if b.Sees = v.may.May(account.APIKeysRead); b.Sees {
		var err error
		if b.Standings, err = d.Control.KeyStandings(v.r.Context(), v.Caller, v.workspace()); err != nil {
			return err
		}
	}
	return v.show("overview", page{Title: "Overview", Section: "overview", Wide: true, Body: b})
}
