package config

import (
	"fmt"
	"net/netip"
	"net/url"

	"github.com/keyward/keyward/internal/keyfmt"
)

// OIDC names the provider at which people sign in; the zero value is none.
type OIDC struct {
	Issuer       string
	ClientID     string
	ClientSecret keyfmt.Secret // zero for a public client
	UserClaim    string        // the claim that is the user's id
	Audience     string        // of access tokens, where it is not the client; "" for none
}

// setPublicURL takes an origin: a scheme and a host. Keyward answers at the root of its host alone.
func setPublicURL(c *Config, v string) error {
	u, err := origin(v)
	if err != nil || u.Path != "" && u.Path != "/" {
		return fmt.Errorf("%q: want the address that browsers see, such as https://keyward.example.com, without a path", v)
	}
	c.PublicURL = u.Scheme + "://" + u.Host
	return nil
}

// setOIDCIssuer takes the issuer to the letter, since tokens repeat it.
func setOIDCIssuer(c *Config, v string) error {
	u, err := origin(v)
	if err != nil {
		return fmt.Errorf("%q: want the provider's issuer, such as https://id.example.com", v)
	}
	if u.Scheme == "http" && !ownMachine(u.Hostname()) {
		return fmt.Errorf("%q: over plain HTTP anybody between could sign in as anybody: want https", v)
	}
	c.OIDC.Issuer = v
	return nil
}

func origin(v string) (*url.URL, error) {
	u, err := url.Parse(v)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("no origin")
	}
	return u, nil
}

func ownMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// checkOIDC refuses half a provider.
func (c *Config) checkOIDC(name func(string) string) error {
	o := c.OIDC
	switch {
	case o.Issuer == "" && o.ClientID != "":
		return fmt.Errorf("%s: stands without KEYWARD_OIDC_ISSUER", name("KEYWARD_OIDC_CLIENT_ID"))
	case o.Issuer == "" && !o.ClientSecret.IsZero():
		return fmt.Errorf("%s: stands without KEYWARD_OIDC_ISSUER", name("KEYWARD_OIDC_CLIENT_SECRET"))
	case o.Issuer != "" && o.ClientID == "":
		return fmt.Errorf("%s: stands without KEYWARD_OIDC_CLIENT_ID", name("KEYWARD_OIDC_ISSUER"))
	}
	return nil
}
