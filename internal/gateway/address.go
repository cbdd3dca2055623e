package gateway

import (
	"net/netip"
	"slices"
	"strings"
)

// ClientAddress is the caller's address: the peer, or, if the peer is a trusted proxy, the rightmost address of
// X-Forwarded-For (its lines, in order) that is not one. Entries further left are the client's own word. If an entry
// is no address, the last known proxy is returned.
func ClientAddress(peer netip.Addr, trusted []netip.Prefix, forwardedFor []string) netip.Addr {
	if !contains(trusted, peer) {
		return peer
	}
	for _, line := range slices.Backward(forwardedFor) {
		for rest, more := line, true; more; {
			hop := rest
			if i := strings.LastIndexByte(rest, ','); i >= 0 {
				rest, hop = rest[:i], rest[i+1:]
			} else {
				more = false
			}
			a := Address(strings.TrimSpace(hop))
			if !a.IsValid() {
				return peer
			}
			if peer = a; !contains(trusted, a) {
				return a
			}
		}
	}
	return peer
}

// Address reads an address with or without a port; the zero value where it is none. An IPv4 address in IPv6 clothes is
// one of IPv4.
func Address(s string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(s); err == nil { // as every peer comes
		return withPort.Addr().Unmap().WithZone("")
	}
	if inner, ok := strings.CutPrefix(s, "["); ok { // [2001:db8::1], as RFC 7239 and some proxies write it
		if inner, ok = strings.CutSuffix(inner, "]"); !ok || !strings.Contains(inner, ":") {
			return netip.Addr{}
		}
		s = inner
	}
	a, _ := netip.ParseAddr(s)
	return a.Unmap().WithZone("")
}

func contains(networks []netip.Prefix, a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}
