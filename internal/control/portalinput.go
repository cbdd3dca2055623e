package control

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/session"
)

const (
	maxOrigins   = 20
	maxLabel     = 100
	maxReturnURL = 2000
	mostLifetime = 100 * 366 * 24 * 3600 // seconds
)

// Reveal says to which pages values are revealed.
const (
	RevealAnywhere = "anywhere"
	RevealFrame    = "frame"
)

var localeForm = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}$`)

// portalTerms reads the fields that depend on no other object.
func portalTerms(p *session.Portal, in CreatePortal) (err error) {
	if p.Capabilities, err = capabilitiesInput(in.Capabilities); err != nil {
		return err
	}
	if p.Origins, err = originsInput(in.AllowedOrigins); err != nil {
		return err
	}
	life := session.PortalLife
	if in.ExpiresIn.Set {
		life = time.Duration(in.ExpiresIn.Value) * time.Second
		least, most := int64(session.MinPortalLife/time.Second), int64(session.MaxPortalLife/time.Second)
		if n := in.ExpiresIn.Value; n < least || n > most {
			return fault.Invalid("expiresInSeconds", "must be between %d and %d", least, most)
		}
	}
	p.ExpiresAt = p.CreatedAt.Add(life)
	if p.FrameOnly = in.Reveal.Value == RevealFrame; in.Reveal.Set && !p.FrameOnly && in.Reveal.Value != RevealAnywhere {
		return fault.Invalid("reveal", "must be %s or %s", RevealAnywhere, RevealFrame)
	}
	if p.Locale = in.Locale.Value; said(in.Locale) && !localeForm.MatchString(p.Locale) {
		return fault.Invalid("locale", "want a language tag such as en or pt-BR")
	}
	if p.Theme = in.Theme.Value; said(in.Theme) && !slices.Contains([]string{"auto", "light", "dark"}, p.Theme) {
		return fault.Invalid("theme", "must be auto, light or dark")
	}
	if p.Label, err = lineInput("label", in.Label, maxLabel); err != nil {
		return err
	}
	return returnInput(p, in)
}

// said tells whether a value was given, and not null.
func said[T any](o Optional[T]) bool { return o.Set && !o.Null }

func capabilitiesInput(names []string) ([]session.Capability, error) {
	if len(names) == 0 {
		return nil, fault.Invalid("capabilities", "must name at least one capability")
	}
	var out []session.Capability
	for i, name := range names {
		c := session.Capability(name)
		if c.Needs() == "" {
			return nil, fault.Invalid(indexed("capabilities", i), "must be one of: %s", capabilityNames())
		}
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out, nil
}

func capabilityNames() string {
	var names []string
	for _, c := range session.Capabilities() {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

// originsInput reads the origins of the pages that may call, each exactly as browsers write it. None leaves the hosted
// page alone.
func originsInput(given []string) ([]string, error) {
	if len(given) > maxOrigins {
		return nil, fault.Invalid("allowedOrigins", "must hold at most %d origins", maxOrigins)
	}
	out := make([]string, 0, len(given))
	for i, text := range given {
		if text == "" || text != originOf(text) {
			return nil, fault.Invalid(
				indexed("allowedOrigins", i),
				"want one origin as browsers write it, such as https://app.example.com; http is for localhost alone, and * for nothing",
			)
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out, nil
}

// originOf is the origin of an address in the form in which browsers write it (RFC 6454, section 6.1); "" where it is
// no address of a page: plain HTTP is for this machine alone.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Opaque != "" ||
		strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return ""
	}
	host := u.Hostname()
	if !hostForm.MatchString(host) || strings.HasSuffix(u.Host, ":") {
		return ""
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && thisMachine(host):
	default:
		return ""
	}
	port := u.Port()
	if port != "" &&
		(strings.HasPrefix(port, "0") || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// hostForm is a name in small letters, or an address of IPv6.
var hostForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|[0-9a-f:]+)$`)

func thisMachine(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// returnInput reads the address to which the hosted page goes at its end: on one of the origins, so that a link to the
// page leads nowhere else.
func returnInput(p *session.Portal, in CreatePortal) error {
	text := in.ReturnURL.Value
	if !said(in.ReturnURL) {
		return nil
	}
	if len(text) > maxReturnURL {
		return fault.Invalid("returnUrl", "is longer than %d bytes", maxReturnURL)
	}
	if err := noCredential("returnUrl", text); err != nil {
		return err
	}
	origin := originOf(text)
	if origin == "" || !slices.Contains(p.Origins, origin) && origin != in.Origin {
		return fault.Invalid("returnUrl", "must be the address of a page on one of allowedOrigins")
	}
	p.ReturnURL = text
	return nil
}

// bounds tells whether any field was given.
func (in *PortalCeilingInput) bounds() bool {
	return in.Permissions.Set || in.MaxLifetimeSeconds.Set || in.RateLimit.Set || in.Environments.Set || in.MaxKeys.Set ||
		in.RequireAllowedIPs.Set
}

// portalCeilingInput reads a ceiling.
func (s *Service) portalCeilingInput(c *session.Ceiling, o Optional[PortalCeilingInput]) (err error) {
	if !said(o) {
		return nil
	}
	in := o.Value
	if !in.bounds() {
		return fault.Invalid("ceiling", "bounds nothing: leave it out")
	}
	if said(in.Permissions) {
		if _, err := s.permissionsInput("ceiling.permissions", in.Permissions.Value); err != nil {
			return err
		}
		c.Permissions = append([]string{}, in.Permissions.Value...)
	}
	if c.Limits, err = limitsInput("ceiling.rateLimit", in.RateLimit, ratelimit.Limits{}); err != nil {
		return err
	}
	if said(in.Environments) {
		if len(in.Environments.Value) == 0 || len(in.Environments.Value) > 2 {
			return fault.Invalid("ceiling.environments", "must name live, test or both")
		}
		for i, name := range in.Environments.Value {
			list, ok := account.OnlyEnvironment(name)
			if !ok {
				return fault.Invalid(indexed("ceiling.environments", i), "must be live or test")
			}
			if !slices.Contains(c.Environments, list[0]) {
				c.Environments = append(c.Environments, list[0])
			}
		}
	}
	for _, one := range []struct {
		field string
		given Optional[int64]
		most  int64
		to    func(int64)
	}{
		{"ceiling.maxLifetimeSeconds", in.MaxLifetimeSeconds, mostLifetime,
			func(n int64) { c.MaxLifetime = time.Duration(n) * time.Second }},
		{"ceiling.maxKeys", in.MaxKeys, ratelimit.Max, func(n int64) { c.MaxKeys = n }},
	} {
		if !said(one.given) {
			continue
		}
		if one.given.Value < 1 || one.given.Value > one.most {
			return fault.Invalid(one.field, "must be between 1 and %d", one.most)
		}
		one.to(one.given.Value)
	}
	c.RequireIPs = in.RequireAllowedIPs.Value
	return nil
}
