package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/text"
)

// maxSmallFile bounds a file with a password or with networks, in bytes.
const maxSmallFile = 64 << 10

// maxPEM bounds a file with certificates: a system's list of authorities has some hundred kilobytes.
const maxPEM = 4 << 20

// Proxies are the trusted proxies of the setting and of its file, which is read now.
func (c *Config) Proxies() ([]netip.Prefix, error) {
	if c.TrustedProxiesFile == "" {
		return c.TrustedProxies, nil
	}
	raw, err := small(c.TrustedProxiesFile)
	if err != nil {
		return nil, err
	}
	all := append([]netip.Prefix(nil), c.TrustedProxies...)
	number := 0
	for line := range strings.Lines(string(raw)) {
		number++
		line, _, _ = strings.Cut(line, "#")
		some, err := prefixes(strings.ReplaceAll(line, " ", ","))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", c.TrustedProxiesFile, number, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// ReadPassword reads a file that holds a password on its one line.
func ReadPassword(path string) (keyfmt.Secret, error) {
	raw, err := small(path)
	if err != nil {
		return keyfmt.Secret{}, err
	}
	open, err := readable(path)
	if err != nil {
		return keyfmt.Secret{}, err
	}
	if open {
		return keyfmt.Secret{}, fmt.Errorf("everybody on this machine can read %s: chmod 600 %s", path, path)
	}
	line := strings.TrimRight(string(raw), "\r\n")
	switch {
	case line == "":
		return keyfmt.Secret{}, fmt.Errorf("%s: there is nothing in it: want one line", path)
	case strings.ContainsAny(line, "\r\n"):
		return keyfmt.Secret{}, fmt.Errorf("%s: holds several lines: want one", path)
	}
	return keyfmt.NewSecret(line), nil
}

// ReadAuthorities reads the certificates of authorities, PEM.
func ReadAuthorities(path string) (*x509.CertPool, error) {
	raw, err := bounded(path, maxPEM)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, noPEM(path, "certificate", "CERTIFICATE")
	}
	return pool, nil
}

// errKeyFile marks a fault of the private key's file.
var errKeyFile = errors.New("not a private key")

// ReadCertificate reads the chain of a certificate, and its private key, PEM. The error names the file at fault.
func ReadCertificate(cert, key string) (tls.Certificate, error) {
	chain, err := bounded(cert, maxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	private, err := bounded(key, maxPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%w (%w)", err, errKeyFile)
	}
	if block, _ := pem.Decode(private); block == nil {
		return tls.Certificate{}, fmt.Errorf("%w (%w)", noPEM(key, "private key", "PRIVATE KEY"), errKeyFile)
	}
	if block, _ := pem.Decode(chain); block == nil {
		return tls.Certificate{}, noPEM(cert, "certificate", "CERTIFICATE")
	}
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s with the key of %s: %w", cert, key, err)
	}
	return pair, nil
}

// noPEM is the error about a file without a block of PEM that was expected.
func noPEM(path, what, block string) error {
	return fmt.Errorf("%s holds no %s in PEM: want the text that begins with -----BEGIN %s-----", path, what, block)
}

func small(path string) ([]byte, error) { return bounded(path, maxSmallFile) }

// bounded reads a file of at most so many bytes.
func bounded(path string, most int) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, Explained(path, err)
	}
	if len(raw) > most {
		return nil, fmt.Errorf("%s is longer than %d bytes: is it the file that is meant?", path, most)
	}
	return text.WithoutBOM(raw), nil
}

// legible tells why a file cannot be read, or that it is empty; nil where it has something in it. A pipe or a device
// is not read.
func legible(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return Explained(path, err)
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return Explained(path, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR})
	case info.Mode().IsRegular() && info.Size() == 0:
		return emptyFile(path)
	}
	return nil
}

// emptyFile is the error about a file of 0 bytes, which a full disk or a template without values leaves behind.
func emptyFile(path string) error {
	return fmt.Errorf("%s is empty: write it again, or name another file", path)
}

// explained is an error about a file with its remedy.
type explained struct{ error }

// Unwrap gives the error itself.
func (e explained) Unwrap() error { return e.error }

// Explained adds the remedy to the system's error about a file, once, and to a refusal the file's owner and the asking
// user. Any other error is returned as it is.
func Explained(path string, err error) error {
	if errors.As(err, new(explained)) {
		return err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return explained{fmt.Errorf("%w: %s", err, absent(path))}
	case errors.Is(err, syscall.EISDIR):
		return explained{fmt.Errorf(
			"%w: name a file in it (a container makes a directory where the file that is mounted is not there)", err,
		)}
	case !errors.Is(err, fs.ErrPermission):
		return err
	}
	info, statErr := os.Stat(path)
	if statErr != nil {
		return explained{fmt.Errorf(
			"%w: this process runs as user %d, which may not look into its directory: chown or chmod that", err, os.Getuid(),
		)}
	}
	return explained{fmt.Errorf(
		"%w: it belongs to user %s and has mode %04o, and this process runs as user %d: chown or chmod it", err, owner(info),
		info.Mode().Perm(), os.Getuid(),
	)}
}

// absent is the remedy for a file that is not there.
func absent(path string) string {
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return "the folder " + folder + " is not there either: correct the path, or mount its volume"
	}
	return "correct the path, or put the file there"
}

// checkFiles reads every file that a setting names once, so that a start ends with the name of the setting.
func (c *Config) checkFiles(name func(string) string) error {
	for _, f := range []struct {
		env, path string
		read      func(string) error
	}{
		{"KEYWARD_CATALOGUE", c.Catalogue, legible},
		{"KEYWARD_ROUTES", c.Routes, legible},
		{"KEYWARD_TRUSTED_PROXIES_FILE", c.TrustedProxiesFile, func(string) error { _, err := c.Proxies(); return err }},
		{"KEYWARD_REDIS_PASSWORD_FILE", c.RedisPasswordFile, func(p string) error { _, err := ReadPassword(p); return err }},
		{
			"KEYWARD_DATABASE_PASSWORD_FILE", c.DatabasePasswordFile,
			func(p string) error { _, err := ReadPassword(p); return err },
		},
		{"KEYWARD_REDIS_CA_FILE", c.RedisCAFile, func(p string) error { _, err := ReadAuthorities(p); return err }},
	} {
		if f.path == "" {
			continue
		}
		if err := f.read(f.path); err != nil {
			return fmt.Errorf("%s: %w", name(f.env), err)
		}
	}
	switch {
	case c.Redis.IsZero() && c.RedisPasswordFile != "":
		return fmt.Errorf("%s: stands without KEYWARD_REDIS_URL", name("KEYWARD_REDIS_PASSWORD_FILE"))
	case c.RedisPasswordFile != "" && strings.Contains(c.Redis.Reveal(), "+sentinel://"):
		return fmt.Errorf(
			"%s: a password in a file does not go with sentinels, which have another one: write it into KEYWARD_REDIS_URL",
			name("KEYWARD_REDIS_PASSWORD_FILE"),
		)
	case !c.redisTLS() && c.RedisCAFile != "":
		return fmt.Errorf("%s: stands without a KEYWARD_REDIS_URL that begins with rediss", name("KEYWARD_REDIS_CA_FILE"))
	case c.Postgres.IsZero() && c.DatabasePasswordFile != "":
		return fmt.Errorf(
			"%s: stands without a KEYWARD_DATABASE_URL that begins with postgres://", name("KEYWARD_DATABASE_PASSWORD_FILE"),
		)
	}
	return nil
}

func (c *Config) redisTLS() bool { return strings.HasPrefix(c.Redis.Reveal(), "rediss") }
