package gateway_test

import (
	"net/netip"
	"testing"

	"github.com/keyward/keyward/internal/gateway"
)

func TestTheClientIsTheRightmostAddressThatIsNoProxy(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	proxy := netip.MustParseAddr("127.0.0.1")
	for _, test := range []struct {
		forwarded []string
		want      string
	}{
		{nil, "127.0.0.1"},
		{[]string{"203.0.113.7"}, "203.0.113.7"},
		{[]string{"203.0.113.7:4711"}, "203.0.113.7"},
		{[]string{"2001:db8::1"}, "2001:db8::1"},
		{[]string{"[2001:db8::1]"}, "2001:db8::1"},
		{[]string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{[]string{"[::ffff:203.0.113.7]"}, "203.0.113.7"},
		{[]string{"198.51.100.1, [2001:db8::1], [fd00::2]"}, "2001:db8::1"},
		{[]string{"198.51.100.1", "[2001:db8::1]"}, "2001:db8::1"},
		{[]string{"203.0.113.7, [2001:db8::1"}, "127.0.0.1"},
		{[]string{"203.0.113.7, 2001:db8::1]"}, "127.0.0.1"},
		{[]string{"203.0.113.7, [203.0.113.8]"}, "127.0.0.1"},
		{[]string{"203.0.113.7, []"}, "127.0.0.1"},
		{[]string{"203.0.113.7, unknown"}, "127.0.0.1"},
	} {
		if got := gateway.ClientAddress(proxy, trusted, test.forwarded); got.String() != test.want {
			t.Errorf("%q: %s, want %s", test.forwarded, got, test.want)
		}
	}
	if got := gateway.ClientAddress(netip.MustParseAddr("192.0.2.1"), trusted,
		[]string{"203.0.113.7"}); got.String() != "192.0.2.1" {
		t.Errorf("an address forwarded by a stranger was believed: %s", got)
	}
}
