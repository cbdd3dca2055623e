package storetest

import (
	"net/netip"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

// bounds gives the n-th of several that differ in which lists are there; one of the lists is empty, and confines to
// nothing.
func bounds(n int) account.Bounds {
	return []account.Bounds{
		{},
		{Reach: account.Reach{Workspaces: []id.Workspace{"w", "x"}}},
		{Reach: account.Reach{Environments: []keyfmt.Environment{keyfmt.Test}},
			AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}},
		{Reach: account.Reach{Workspaces: []id.Workspace{}, Environments: []keyfmt.Environment{keyfmt.Live, keyfmt.Test}}},
	}[n%4]
}
