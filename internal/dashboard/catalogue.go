package dashboard

import (
	"github.com/keyward/keyward/internal/perm"
)

type catalogueBody struct {
	Tree  []branch
	Total int
	Held  int
	Ask   bool // whether the visitor holds each is shown
}

// cataloguePage explains each permission.
func (d *Dashboard) cataloguePage(v *request) error {
	b := catalogueBody{Total: d.catalogue.Len(), Ask: v.may.User != ""}
	var held perm.Set
	if b.Ask {
		held = v.may.Holds
	}
	b.Tree, b.Held = d.tree(held, nil), held.Len()
	return v.show(page{Title: "Catalogue", Section: "catalogue", Wide: true, Body: b})
}
