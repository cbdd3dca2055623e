package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/keyward/keyward/internal/keyfmt"
)

const wantDatabase = "want sqlite:PATH, such as sqlite:./keyward.db, or postgres://USER@HOST:PORT/DATABASE"

// setDatabase takes sqlite:PATH, sqlite://PATH and the URL of a PostgreSQL database. It never repeats the latter, which may hold a
// password.
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

// setPostgres keeps of the URL, to be shown, where the database is and no more.
func setPostgres(c *Config, v string) error {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Opaque != "":
		return errors.New("is no URL: want postgres://USER@HOST:PORT/DATABASE, with what needs it percent-encoded")
	case strings.Trim(u.Path, "/") == "":
		return errors.New("names no database: want postgres://USER@HOST:PORT/DATABASE")
	}
	c.Database, c.Postgres = (&url.URL{Scheme: "postgres", Host: u.Host, Path: u.Path}).String(), keyfmt.NewSecret(v)
	return nil
}
