package doctor

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/keyward/keyward/internal/config"
)

// Cheap looks at what is known at once, without asking another program. A server warns of the same at its start.
func Cheap(cfg *config.Config) (all []Finding) {
	for _, odd := range cfg.Odd {
		all = append(all, Finding{Warn, "settings", odd, "few who set it meant that", "see the setting's own text"})
	}
	all = append(all, proxies(cfg)...)
	all = append(all, descriptors(cfg)...)
	return append(all, disk(cfg)...)
}

func proxies(cfg *config.Config) (all []Finding) {
	networks, err := cfg.Proxies()
	if err != nil {
		return []Finding{{Fail, "proxies", err.Error(), "the server does not start", "correct the file"}}
	}
	for _, n := range networks {
		if n.Bits() == 0 {
			all = append(all, Finding{Warn, "proxies",
				fmt.Sprintf("KEYWARD_TRUSTED_PROXIES holds %s: every address is a trusted proxy", n),
				"each client can say that it has any address, and any route it likes at /check",
				"name the addresses of your proxies alone"})
		}
	}
	return all
}

// soon is how near an end is worth a warning.
const soon = 14 * 24 * time.Hour

// Certificates looks at the certificate that the server itself speaks TLS with.
func Certificates(cfg *config.Config, now time.Time) []Finding {
	if !cfg.TLS() {
		return nil
	}
	const renew = "renew it; a running server reads it again by itself"
	pair, err := config.ReadCertificate(cfg.TLSCert, cfg.TLSKey)
	if err != nil {
		return []Finding{{Fail, "certificate", err.Error(), "no client can connect", "put a certificate and its key there"}}
	}
	leaf := pair.Leaf
	end := leaf.NotAfter.UTC().Format(time.RFC3339)
	var all []Finding
	switch {
	case now.After(leaf.NotAfter):
		all = append(all, Finding{Fail, "certificate", cfg.TLSCert + " has ended at " + end, "clients refuse it", renew})
	case now.Before(leaf.NotBefore):
		all = append(all, Finding{Fail, "certificate",
			cfg.TLSCert + " begins at " + leaf.NotBefore.UTC().Format(time.RFC3339), "clients refuse it until then",
			"look at the clock, or put one there that holds"})
	case leaf.NotAfter.Sub(now) < soon:
		all = append(all, Finding{Warn, "certificate", cfg.TLSCert + " ends at " + end, "clients refuse it from then on",
			renew})
	default:
		all = append(all, ok("certificate", "%s ends at %s", cfg.TLSCert, end))
	}
	if len(pair.Certificate) == 1 && leaf.Issuer.String() != leaf.Subject.String() && !isRoot(leaf) {
		all = append(all, Finding{Warn, "certificate", cfg.TLSCert + " holds no certificate of its issuer",
			"clients that do not know the intermediate refuse the connection",
			"put the whole chain there, such as fullchain.pem"})
	}
	if u, err := url.Parse(cfg.PublicURL); err == nil && u.Hostname() != "" && leaf.VerifyHostname(u.Hostname()) != nil {
		all = append(all, Finding{Warn, "certificate", fmt.Sprintf("%s is not for %s, which KEYWARD_PUBLIC_URL names",
			cfg.TLSCert, u.Hostname()),
			"browsers refuse it, unless a proxy ends TLS in front", "ask for a certificate with that name"})
	}
	return all
}

func isRoot(c *x509.Certificate) bool { return c.IsCA && c.CheckSignatureFrom(c) == nil }

const (
	littleSpace = 1 << 30   // bytes that are worth a warning
	noSpace     = 100 << 20 // bytes with which changes will soon be refused
)

func disk(cfg *config.Config) []Finding {
	if !cfg.Postgres.IsZero() {
		return nil
	}
	dir := filepath.Dir(cfg.Database)
	free, known := freeBytes(dir)
	if !known {
		return nil
	}
	f := Finding{Warn, "disk", fmt.Sprintf("%d MiB are free in %s", free>>20, dir),
		"a full disk refuses every change; a backup needs as much as the database",
		"make room, or use a larger volume"}
	switch {
	case free < noSpace:
		f.Level = Fail
	case free >= littleSpace:
		return []Finding{ok("disk", "%d MiB are free in %s", free>>20, dir)}
	}
	return []Finding{f}
}

// descriptors asks for two for each connection, as a proxy and a slow client may hold both ends.
func descriptors(cfg *config.Config) []Finding {
	most, known := maxFiles()
	if !known {
		return nil
	}
	listeners := uint64(1)
	for _, addr := range []string{cfg.DataAddr, cfg.GRPCAddr, cfg.MetricsAddr} {
		if addr != "" {
			listeners++
		}
	}
	needed := listeners*uint64(cfg.MaxConnections) + 200
	if most >= needed {
		return []Finding{ok("descriptors", "%d files may be open, and %d connections need %d", most, cfg.MaxConnections,
			needed)}
	}
	return []Finding{{Warn, "descriptors", fmt.Sprintf("%d files may be open, and KEYWARD_MAX_CONNECTIONS needs %d", most,
		needed),
		"connections beyond it are refused by the system, and the database cannot open files",
		"set LimitNOFILE= in the unit (ulimit -n), or a lower KEYWARD_MAX_CONNECTIONS"}}
}
