package feedhttp

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// SourceURL reads the address of a source: https, or http on this machine, and a host, without anything else. The text
// is not in an error: it may hold a password.
func SourceURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		strings.Trim(u.Path, "/") != "" {
		return "", errors.New("want https://host[:port], without a path, a user or a query")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !thisMachine(u.Hostname())) {
		return "", errors.New("want https://…: plain http would show the service key and every digest to others, " +
			"and is for this machine alone")
	}
	return u.Scheme + "://" + u.Host, nil
}

func thisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
