package server

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/keyward/keyward/internal/gateway"
)

// One customer has an IPv6 network of 64 bits, and as many addresses in it as they like.
func TestT56OneNetworkTakesNoMoreConnectionsThanOneAddress(t *testing.T) {
	t.Parallel()
	var proxies gateway.Proxies
	proxies.Set([]netip.Prefix{netip.MustParsePrefix("2001:db8:9::/48")})
	l := &capped{most: 100, perAddress: 3, trusted: &proxies,
		conns: map[*admitted]struct{}{}, from: map[netip.Prefix]int{}}
	admits := func(address string) (*admitted, bool) {
		c := &admitted{listener: l, peer: netip.MustParseAddr(address)}
		return c, l.admit(c)
	}
	var last *admitted
	for i := range 10 {
		c, ok := admits(fmt.Sprintf("2001:db8:1:2::%x", i+1))
		if ok != (i < 3) {
			t.Errorf("connection %d from another address of one network: admitted %v", i+1, ok)
		}
		if ok {
			last = c
		}
	}
	for _, other := range []string{"2001:db8:1:3::1", "192.0.2.1", "192.0.2.2", "2001:db8:9::1"} {
		if _, ok := admits(other); !ok {
			t.Errorf("%s was refused", other)
		}
	}
	for range 10 {
		if _, ok := admits("2001:db8:9::1"); !ok {
			t.Error("a trusted proxy was refused")
		}
	}
	l.release(last)
	if _, ok := admits("2001:db8:1:2::ffff"); !ok {
		t.Error("refused though one of the three has closed")
	}
	if _, ok := admits("2001:db8:1:2::1"); ok {
		t.Error("a fourth was admitted")
	}
}
