package dashboard

import (
	"context"
	"net/http"
	"time"

	"github.com/keyward/keyward/internal/cluster"
)

// Nodes are the processes that serve the same database, this one among them.
type Nodes interface {
	Members(ctx context.Context) ([]cluster.Member, error)
}

// clocksDiffer is the smallest reported difference between a node's clock and the database's: half of the difference
// that makes a node unready is far beyond normal machines with synchronised clocks.
const clocksDiffer = 2 * time.Second

type nodeRow struct {
	ID, Address, Version string
	State, Tone          string
	Behind               int64
	Clock                string // "" where it agrees
	// settings that it has otherwise than the node that shows the page, and a pepper that it lacks
	Notes         []string
	Self          bool
	Started, Seen moment
}

type nodesBody struct {
	Nodes  []nodeRow
	Alone  bool
	Fenced int
	Bound  string // after how long without news a node fences itself
}

// nodes shows the operator the nodes of this installation, the revision of each, and the silent ones.
func (d *Dashboard) nodes(v *request) error {
	if err := d.Control.Operates(v.r.Context(), v.Caller); err != nil {
		return err
	}
	members, err := d.Nodes.Members(v.r.Context())
	if err != nil {
		return d.Control.Unavailable(err)
	}
	b := nodesBody{Alone: len(members) == 1}
	for _, m := range members {
		row := v.nodeRow(&m)
		if m.Fenced {
			b.Fenced++
		}
		b.Bound = span(m.Limit)
		b.Nodes = append(b.Nodes, row)
	}
	return v.answer(http.StatusOK, page{Title: "Nodes", Section: "nodes", Wide: true, Body: b})
}

func stateOf(m *cluster.Member) (word, tone string) {
	switch {
	case m.Fenced:
		return "Fenced", "bad"
	case m.Applied < 0:
		return "Loading", "warn"
	}
	return "Ready", "good"
}

// notesOf lists the points that an operator has to put right.
func notesOf(m *cluster.Member) (notes []string) {
	if m.Lacks != "" {
		notes = append(notes, "lacks the pepper "+m.Lacks)
	}
	for _, setting := range m.Differs {
		switch setting {
		case cluster.SettingRootKey:
			notes = append(notes, "another root key")
		case cluster.SettingCatalogue:
			notes = append(notes, "another catalogue")
		case cluster.SettingPepper:
			notes = append(notes, "another pepper")
		}
	}
	return notes
}
