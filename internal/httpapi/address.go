package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress is who asks: the peer, or, where the peer is a trusted proxy, the rightmost address of X-Forwarded-For that is not
// one. What stands further left is the client's own word. Where an entry is no address, the last proxy that is known is answered.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer := address(r.RemoteAddr)
	if !contains(trusted, peer) {
		return peer
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		a := address(strings.TrimSpace(hop))
		if !a.IsValid() {
			return peer
		}
		if peer = a; !contains(trusted, a) {
			return a
		}
	}
	return peer
}

// address reads an address with or without a port; the zero value where it is none. An IPv4 address in IPv6 clothes is one of IPv4.
func address(s string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	a, _ := netip.ParseAddr(s)
	return a.Unmap().WithZone("")
}

func contains(networks []netip.Prefix, a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}
