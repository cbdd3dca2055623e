package account

import (
	"net/netip"
	"slices"
)

// Bounds confine a service key and the objects made by it. The zero value confines nothing.
type Bounds struct {
	Reach
	AllowedIPs []netip.Prefix // from where it may call; nil is from everywhere
}

// None tells whether nothing is confined.
func (b *Bounds) None() bool { return b.All() && b.AllowedIPs == nil }

// Admits tells whether a call may come from an address, as text.
func (b *Bounds) Admits(address string) bool { return AddressWithin(address, b.AllowedIPs) }

// Beyond names the fields in which the bounds reach further than other ones.
func (b *Bounds) Beyond(outer *Bounds) (fields []string) {
	if !within(b.Workspaces, outer.Workspaces) {
		fields = append(fields, "workspaceIds")
	}
	if !within(b.Environments, outer.Environments) {
		fields = append(fields, "environments")
	}
	if !AddressesWithin(b.AllowedIPs, outer.AllowedIPs) {
		fields = append(fields, "allowedIps")
	}
	return fields
}

// Clone shares nothing with b.
func (b *Bounds) Clone() Bounds {
	return Bounds{Reach{slices.Clone(b.Workspaces), slices.Clone(b.Environments)}, slices.Clone(b.AllowedIPs)}
}
