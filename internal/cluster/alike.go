package cluster

import (
	"slices"
	"time"

	"github.com/keyward/keyward/internal/store"
)

// The settings that Member.Differs names, those of the store.
const (
	SettingRootKey   = store.SettingRootKey
	SettingCatalogue = store.SettingCatalogue
	SettingPepper    = store.SettingPepper
)

// Settings lists them.
func Settings() []string { return store.Settings() }

// Disagreement is a setting that other live nodes have otherwise.
type Disagreement struct {
	Setting       string // of store.Settings
	Others, Among int    // so many of so many other live nodes
}

// Disagreements compares this node's settings with those of the live nodes, as they were at the last heartbeat, in the
// order of store.Settings.
func (n *Node) Disagreements() (list []Disagreement) {
	heard := n.heard.Load()
	if heard == nil {
		return nil
	}
	count, others := map[string]int{}, 0
	for i := range *heard {
		o := &(*heard)[i]
		if o.ID == n.ID {
			continue
		}
		others++
		for _, setting := range n.Alike.Differs(&o.Alike) {
			count[setting]++
		}
	}
	for _, setting := range store.Settings() {
		if count[setting] > 0 {
			list = append(list, Disagreement{Setting: setting, Others: count[setting], Among: others})
		}
	}
	return list
}

// compareAll says of each member in which settings it is not like this node. Fenced ones say nothing of this node.
func (n *Node) compareAll(members []Member) {
	var all []string
	for i := range members {
		m := &members[i]
		if m.Self {
			continue
		}
		m.Differs = n.Alike.Differs(&m.Alike)
		if !m.Fenced {
			all = append(all, m.Differs...)
		}
	}
	for i := range members {
		if members[i].Self {
			members[i].Differs = slices.DeleteFunc(store.Settings(), func(s string) bool { return !slices.Contains(all, s) })
		}
	}
}

// Lacks says which pepper stored digests need and this node does not have; "" for none. The others are told soon.
func (n *Node) Lacks(pepper string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.told.Lacks != pepper {
		n.told.Lacks = pepper
		n.news = true
	}
}

// First tells whether no live node has run for longer, by the last heartbeat: what one node does for all is its work.
func (n *Node) First() bool {
	heard := n.heard.Load()
	if heard == nil {
		return false
	}
	for i := range *heard {
		if (*heard)[i].ID < n.ID { // ids rise with the time of the start
			return false
		}
	}
	return true
}

// Steady is for how long this node has been heard of without a break that is longer than its limit: long enough, and a
// node that is silent is so by itself. 0 where the last heartbeat is too long ago.
func (n *Node) Steady() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.Now()
	if n.beaten.IsZero() || now.Sub(n.beaten) > n.Limit {
		return 0
	}
	return now.Sub(n.steady)
}
