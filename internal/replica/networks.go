package replica

import "net/netip"

// Networks is a list of address prefixes in as few bytes as it takes. It is immutable, and the zero value is the empty
// list.
type Networks struct{ packed string }

// networkSize is the size of one network: the address as IPv6, and the bits of the prefix; IPv4 is marked by ipv4
// bits more. A prefix that is not valid keeps its place, so that a list of such is not taken for an empty one: it
// holds no address.
const (
	networkSize = 17
	ipv4        = 129
	invalid     = 255
)

// NewNetworks packs a list.
func NewNetworks(list []netip.Prefix) Networks {
	if len(list) == 0 {
		return Networks{}
	}
	b := make([]byte, 0, len(list)*networkSize)
	for _, p := range list {
		b = appendNetwork(b, p)
	}
	return Networks{string(b)}
}

func appendNetwork(b []byte, p netip.Prefix) []byte {
	bits := p.Bits()
	switch {
	case !p.IsValid():
		bits = invalid
	case p.Addr().Is4():
		bits += ipv4
	}
	a := p.Addr().As16()
	return append(append(b, a[:]...), byte(bits))
}

// Len is the number of networks.
func (n Networks) Len() int { return len(n.packed) / networkSize }

// At is one of them.
func (n Networks) At(i int) netip.Prefix {
	one := n.packed[i*networkSize : (i+1)*networkSize]
	a, bits := netip.AddrFrom16([16]byte([]byte(one[:16]))), int(one[16])
	switch {
	case bits == invalid:
		return netip.Prefix{}
	case bits >= ipv4:
		a, bits = a.Unmap(), bits-ipv4
	}
	return netip.PrefixFrom(a, bits)
}

// Contain tells whether one of them holds the address, as netip.Prefix.Contains does. It allocates nothing.
func (n Networks) Contain(a netip.Addr) bool {
	for i := range n.Len() {
		if n.At(i).Contains(a) {
			return true
		}
	}
	return false
}
