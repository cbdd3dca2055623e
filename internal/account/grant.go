package account

import (
	"net/netip"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
)

// Grant is the grant rule: the wanted set must lie within the caller's set and within the receiving creator's set. It
// returns the permissions to refuse; the empty set means that all of them may be granted. Every door through which
// permissions flow (creation, import, rotation, roles, members, transfers) calls Grant inside its write transaction,
// on authority read there.
func Grant(wanted, caller, creator perm.Set) (refused perm.Set) {
	return wanted.Without(caller.And(creator))
}

// Bound holds the limits that a calling API key cannot exceed in the keys it makes: its own expiry, limits and
// addresses. Zero fields bound nothing.
type Bound struct {
	ExpiresAt  time.Time
	Limits     ratelimit.Limits
	AllowedIPs []netip.Prefix
}

// EndBy moves the bound's expiry to an end that comes sooner.
func (b *Bound) EndBy(end time.Time) {
	if b.ExpiresAt.IsZero() || end.Before(b.ExpiresAt) {
		b.ExpiresAt = end
	}
}

// Expiry tells whether an expiry lies within the bound; a zero time is "never".
func (b *Bound) Expiry(t time.Time) bool {
	return b == nil || b.ExpiresAt.IsZero() || !t.IsZero() && !t.After(b.ExpiresAt)
}

// PerMinute tells whether a limit per minute lies within the bound.
func (b *Bound) PerMinute(n int64) bool { return b == nil || ratelimit.Within(n, b.Limits.PerMinute) }

// PerDay tells whether a limit per day lies within the bound.
func (b *Bound) PerDay(n int64) bool { return b == nil || ratelimit.Within(n, b.Limits.PerDay) }

// Addresses tells whether every address that the prefixes allow is allowed by the bound; no prefixes allow every
// address.
func (b *Bound) Addresses(prefixes []netip.Prefix) bool {
	return b == nil || AddressesWithin(prefixes, b.AllowedIPs)
}

// AddressesWithin tells whether inner allows no address that outer does not; an empty list allows every address.
func AddressesWithin(inner, outer []netip.Prefix) bool {
	if len(outer) == 0 {
		return true
	}
	for _, p := range inner {
		if !covered(p, outer) {
			return false
		}
	}
	return len(inner) > 0
}

// AddressWithin tells whether an address, as text, lies in one of the networks. An empty list allows every address; ""
// lies in no network. A zone says nothing of the network.
func AddressWithin(address string, networks []netip.Prefix) bool {
	if len(networks) == 0 {
		return true
	}
	ip, err := netip.ParseAddr(address)
	return err == nil && AddrWithin(ip, networks)
}

// AddrWithin is AddressWithin of an address that was read.
func AddrWithin(ip netip.Addr, networks []netip.Prefix) bool {
	if len(networks) == 0 {
		return true
	}
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

func covered(p netip.Prefix, outer []netip.Prefix) bool {
	for _, o := range outer {
		if o.Bits() <= p.Bits() && o.Contains(p.Addr()) {
			return true
		}
	}
	return false
}
