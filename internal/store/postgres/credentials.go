package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
)

// asOfNow gives a new connection the password and the certificates that were read last.
func (d *Driver) asOfNow(_ context.Context, c *pgx.ConnConfig) error {
	now := d.current.Load()
	c.Password, c.TLSConfig, c.Fallbacks = now.Password, now.TLSConfig, now.Fallbacks
	return nil
}

// Reread reads the password and the certificates again, for connections that are made from now on. Where one of them
// cannot be read, those before go on to hold.
func (d *Driver) Reread() error {
	cfg, err := d.configure()
	if err != nil {
		return err
	}
	d.current.Store(&cfg.ConnConfig.Config)
	return nil
}

// fileVariables are the parameters of a URL that name a file, and the variables of the environment that stand for them.
var fileVariables = map[string]string{
	"sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "passfile": "PGPASSFILE",
}

// Files are those that Reread reads.
func (d *Driver) Files() []string {
	var files []string
	add := func(path string) {
		if path != "" && path != "system" {
			files = append(files, path)
		}
	}
	add(d.opt.PasswordFile)
	var given url.Values
	if u, err := url.Parse(d.url); err == nil {
		given = u.Query()
	}
	for parameter, variable := range fileVariables {
		if path := given.Get(parameter); path != "" {
			add(path)
		} else {
			add(os.Getenv(variable))
		}
	}
	if home, err := os.UserHomeDir(); err == nil && given.Get("passfile") == "" && os.Getenv("PGPASSFILE") == "" {
		if path := filepath.Join(home, ".pgpass"); exists(path) {
			add(path)
		}
	}
	return files
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// unparsed describes the fault of the URL, or of a file that it or the environment names, and shows nothing of it but
// the path of a file.
func unparsed(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		for _, variable := range fileVariables {
			if os.Getenv(variable) == file.Path {
				return fmt.Errorf("%s: %w: correct the path, or let this user read the file", variable, file)
			}
		}
		return fmt.Errorf("%w: correct the path, or let this user read the file", file)
	}
	return errors.New(
		"cannot be used: want postgres://USER@HOST:PORT/DATABASE, with what needs it percent-encoded, a sslmode that there is, and files " +
			"that hold certificates in PEM",
	)
}
