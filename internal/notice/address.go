package notice

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// special are the networks that are not the public Internet (IANA's registries of special-purpose addresses), and
// those that carry an IPv4 address in an IPv6 one: where such an address ends is decided by another machine.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4",

	"::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// global is the part of IPv6 that is assigned for the Internet; all else is refused.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// Public tells whether an address is one of the public Internet.
func Public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" || a.Is6() && !global.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Networks are those beside the public Internet to which notices may be sent, also over plain HTTP.
type Networks []netip.Prefix

// Hold tells whether an address lies within one of the networks. An IPv4 address that is written as an IPv6 one is the
// IPv4 address.
func (n Networks) Hold(a netip.Addr) bool {
	a = a.Unmap()
	return a.Zone() == "" && slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Admits tells whether a notice may go to an address: over TLS to the public Internet, else to the networks alone.
func (n Networks) Admits(a netip.Addr, tls bool) bool { return n.Hold(a) || tls && Public(a) }

// CheckURL refuses a URL to which no notice may go, as far as its text tells: the address that its host has is asked
// again at each connection.
func (n Networks) CheckURL(text string) error {
	if text == "" || len(text) > MaxURL {
		return fmt.Errorf("must be a URL of 1 to %d characters", MaxURL)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Opaque != "" ||
		strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("must be a URL such as https://example.com/hooks, in ASCII")
	}
	switch {
	case u.User != nil:
		return errors.New("must hold no user and no password")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return errors.New("must hold no fragment")
	case u.Scheme == "http" && len(n) == 0:
		return errors.New("must begin with https://")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must begin with https://")
	}
	if p := u.Port(); p == "0" || strings.HasSuffix(u.Host, ":") {
		return errors.New("names no port that can be called")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !n.Admits(a, u.Scheme == "https") {
		return errors.New("names an address to which nothing is sent: KEYWARD_WEBHOOK_ALLOW_NETWORKS allows more")
	}
	return nil
}

// Origin is a URL without its path and query, which may be a secret of the receiver.
func Origin(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
