package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/keyward/keyward/internal/keyfmt"
)

// check checks settings together. name gives the name under which a setting was given.
func (c *Config) check(name func(env string) string) error {
	if err := c.checkRootKey(name); err != nil {
		return err
	}
	if err := c.checkTLS(name); err != nil {
		return err
	}
	for _, at := range []struct{ env, addr string }{{"KEYWARD_ADDR", c.Addr}, {"KEYWARD_DATA_ADDR", c.DataAddr},
		{"KEYWARD_GRPC_ADDR", c.GRPCAddr}} {
		if !c.TLS() && !c.Insecure && at.addr != "" && !loopback(at.addr) {
			return fmt.Errorf(
				"%s: %q can be reached by others, and plain HTTP would show them every key: set KEYWARD_TLS_CERT and "+
					"KEYWARD_TLS_KEY, or --insecure (KEYWARD_INSECURE=true) where a proxy in front speaks TLS",
				name(at.env),
				at.addr,
			)
		}
	}
	if len(c.PepperPrevious) > 0 && c.Pepper.IsZero() {
		return fmt.Errorf(
			"%s: stands without KEYWARD_PEPPER: set the pepper that new keys take", name("KEYWARD_PEPPER_PREVIOUS"),
		)
	}
	if err := c.checkFiles(name); err != nil {
		return err
	}
	if err := c.checkArchive(name); err != nil {
		return err
	}
	if err := c.checkOIDC(name); err != nil {
		return err
	}
	return c.checkDatabase(name)
}

func (c *Config) checkArchive(name func(string) string) error {
	if c.EventsArchiveDir == "" {
		return nil
	}
	if c.EventsKept == 0 {
		return fmt.Errorf(
			"%s: stands without KEYWARD_EVENTS_KEEP: say how long events stay in the log", name("KEYWARD_EVENTS_ARCHIVE_DIR"),
		)
	}
	switch at, err := os.Stat(c.EventsArchiveDir); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: the folder %s is not there: make it, or mount its volume", name("KEYWARD_EVENTS_ARCHIVE_DIR"),
			c.EventsArchiveDir)
	case err != nil:
		return fmt.Errorf("%s: %w", name("KEYWARD_EVENTS_ARCHIVE_DIR"), Explained(c.EventsArchiveDir, err))
	case !at.IsDir():
		return fmt.Errorf("%s: %s is not a directory: name a folder for the archives", name("KEYWARD_EVENTS_ARCHIVE_DIR"),
			c.EventsArchiveDir)
	}
	return nil
}

func (c *Config) checkRootKey(name func(string) string) error {
	if c.RootKey.IsZero() {
		return nil
	}
	format, err := c.Format()
	if err != nil {
		return err
	}
	format.Admit(keyfmt.PrefixOf(c.RootKey.Reveal())) // an earlier prefix, perhaps: the server knows those
	if env, ok := format.Parse(c.RootKey.Reveal()); !ok || env != keyfmt.Service {
		return fmt.Errorf(
			"%s: is not a well-formed service key (%s_svc_ and 49 letters and digits, the last six a checksum): "+
				"`keyward rootkey` makes one",
			name("KEYWARD_ROOT_KEY"),
			c.KeyPrefix,
		)
	}
	return nil
}

func (c *Config) checkTLS(name func(string) string) error {
	switch {
	case c.TLSCert == "" && c.TLSKey == "":
		return nil
	case c.TLSCert == "":
		return fmt.Errorf("%s: stands without KEYWARD_TLS_CERT", name("KEYWARD_TLS_KEY"))
	case c.TLSKey == "":
		return fmt.Errorf("%s: stands without KEYWARD_TLS_KEY", name("KEYWARD_TLS_CERT"))
	}
	open, err := readable(c.TLSKey)
	if err != nil {
		return fmt.Errorf("%s: %w", name("KEYWARD_TLS_KEY"), err)
	}
	if open {
		return fmt.Errorf(
			"%s: everybody on this machine can read %s: chmod 600 %s", name("KEYWARD_TLS_KEY"), c.TLSKey, c.TLSKey,
		)
	}
	for env, path := range map[string]string{"KEYWARD_TLS_KEY": c.TLSKey, "KEYWARD_TLS_CERT": c.TLSCert} {
		if err := legible(path); err != nil {
			return fmt.Errorf("%s: %w", name(env), err)
		}
	}
	if _, err := ReadCertificate(c.TLSCert, c.TLSKey); err != nil {
		env := "KEYWARD_TLS_CERT"
		if errors.Is(err, errKeyFile) {
			env = "KEYWARD_TLS_KEY"
		}
		return fmt.Errorf("%s: %w", name(env), err)
	}
	return nil
}

// checkDatabase refuses a database that other users can read: names, e-mail addresses and the log are in it.
func (c *Config) checkDatabase(name func(string) string) error {
	if !c.Postgres.IsZero() {
		return nil
	}
	info, err := os.Stat(c.Database)
	switch {
	case os.IsNotExist(err):
		folder := filepath.Dir(c.Database)
		if _, err := os.Stat(folder); os.IsNotExist(err) {
			return fmt.Errorf(
				"%s: the folder %s is not there: make it, or mount its volume", name("KEYWARD_DATABASE_URL"), folder,
			)
		}
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", name("KEYWARD_DATABASE_URL"), Explained(c.Database, err))
	case info.IsDir():
		return fmt.Errorf("%s: %s is a directory: name a file in it", name("KEYWARD_DATABASE_URL"), c.Database)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: %s is not a regular file: name another path", name("KEYWARD_DATABASE_URL"), c.Database)
	case info.Mode().Perm()&0o004 != 0:
		return fmt.Errorf(
			"%s: everybody on this machine can read %s: chmod 600 %s", name("KEYWARD_DATABASE_URL"), c.Database, c.Database,
		)
	}
	return nil
}

// loopback tells whether an address is reached from this machine alone.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
