package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/keyfmt"
)

const wantDatabase = "want sqlite:PATH, such as sqlite:./keyward.db, or postgres://USER@HOST:PORT/DATABASE"

// setDatabase takes sqlite:PATH, sqlite://PATH and the URL of a PostgreSQL database. It never repeats the latter, which
// may hold a password.
func setDatabase(c *Config, v string) error {
	scheme, path, ok := strings.Cut(v, ":")
	switch scheme {
	case "postgres", "postgresql":
		return setPostgres(c, v)
	case "sqlite":
	default:
		ok = false
	}
	path = strings.TrimPrefix(path, "//")
	switch {
	case !ok || path == "":
		return errors.New(wantDatabase)
	case strings.ContainsAny(path, "?#"):
		return fmt.Errorf("%q: parameters are not taken: want sqlite:PATH", v)
	case path == ":memory:":
		return fmt.Errorf("%q: a database in memory would forget every key: want a file", v)
	case strings.HasSuffix(path, "/"):
		return fmt.Errorf("%q: is a directory: want a file", v)
	}
	c.Database, c.Postgres = path, keyfmt.Secret{}
	return nil
}

var (
	sslModes    = []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
	sslFiles    = []string{"sslrootcert", "sslcert", "sslkey", "passfile"}
	wholeNumber = []string{"connect_timeout", "pool_max_conns", "pool_min_conns"}
)

// checkParameters looks at those of PostgreSQL's parameters that people mistype, since its own words name neither the
// setting nor the value.
func checkParameters(q url.Values) error {
	if mode := q.Get("sslmode"); mode != "" && !slices.Contains(sslModes, mode) {
		return fmt.Errorf("sslmode=%s: want %s", mode, strings.Join(sslModes, ", "))
	}
	for _, name := range sslFiles {
		if path := q.Get(name); path != "" && path != "system" {
			if err := legible(path); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for _, name := range wholeNumber {
		if v := q.Get(name); v != "" && strings.Trim(v, "0123456789") != "" {
			return fmt.Errorf("%s=%s: want a whole number", name, v)
		}
	}
	return nil
}

// setPostgres keeps of the URL, to be shown, where the database is and no more.
func setPostgres(c *Config, v string) error {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Opaque != "":
		return errors.New("is no URL: want postgres://USER@HOST:PORT/DATABASE, with what needs it percent-encoded")
	case strings.Trim(u.Path, "/") == "":
		return errors.New("names no database: want postgres://USER@HOST:PORT/DATABASE")
	}
	if err := checkParameters(u.Query()); err != nil {
		return err
	}
	c.Database, c.Postgres = (&url.URL{Scheme: "postgres", Host: u.Host, Path: u.Path}).String(), keyfmt.NewSecret(v)
	return nil
}
