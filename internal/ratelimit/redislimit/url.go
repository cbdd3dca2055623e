package redislimit

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Server says where Redis or Valkey is.
type Server struct {
	Cluster bool
	option  rueidis.ClientOption
	current *atomic.Pointer[Credentials] // nil where the URL's own always hold
}

// Credentials authenticate new connections, and check the server.
type Credentials struct {
	Password    string         // "" for the URL's
	Authorities *x509.CertPool // nil for the system's
}

// Follow has new connections take the credentials current at that time, with SetCredentials, instead of those in the
// URL.
func (s *Server) Follow(c Credentials) {
	s.current = new(atomic.Pointer[Credentials])
	s.current.Store(&c)
}

// SetCredentials puts others in the place of those before, for connections that are made from now on. It must follow
// Follow.
func (s *Server) SetCredentials(c Credentials) { s.current.Store(&c) }

// ParseURL reads
//
//	redis://[user:password@]host:port[/db]                one server; rediss:// with TLS
//	redis+cluster://[user:password@]host:port,host:port   a cluster; rediss+cluster://
//	redis+sentinel://[user:password@]host:port,host:port/name[/db]   the primary of that name, by what sentinels say;
//	                                                                 rediss+sentinel://
//
// An error holds nothing of the URL, which may hold a password.
func ParseURL(text string) (s Server, err error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return s, errors.New("want redis://host:port")
	}
	scheme, kind, _ := strings.Cut(scheme, "+")
	if scheme != "redis" && scheme != "rediss" {
		return s, errors.New("want a scheme of redis or rediss, with +cluster or +sentinel for these")
	}
	rest, path, _ := strings.Cut(rest, "/")
	account, hosts, ok := cutLast(rest, "@")
	if !ok {
		account, hosts = "", rest
	}
	if err := s.account(account); err != nil {
		return s, err
	}
	if err := s.hosts(hosts); err != nil {
		return s, err
	}
	if scheme == "rediss" {
		s.option.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return s, s.kind(kind, path)
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func (s *Server) account(text string) (err error) {
	user, password, ok := strings.Cut(text, ":")
	if text != "" && !ok {
		return errors.New("want user:password or :password before the @")
	}
	if s.option.Username, err = url.PathUnescape(user); err != nil {
		return errors.New("the user is not well escaped")
	}
	if s.option.Password, err = url.PathUnescape(password); err != nil {
		return errors.New("the password is not well escaped")
	}
	return nil
}

func (s *Server) hosts(text string) error {
	for host := range strings.SplitSeq(text, ",") {
		u, err := url.Parse("redis://" + host)
		if err != nil || u.Hostname() == "" || u.Host != host ||
			strings.Contains(u.Hostname(), ":") != strings.HasPrefix(host, "[") {
			return errors.New("want host:port, with a comma between several")
		}
		if u.Port() == "" {
			host += ":6379"
		}
		s.option.InitAddress = append(s.option.InitAddress, host)
	}
	return nil
}

func (s *Server) kind(kind, path string) error {
	switch kind {
	case "":
		if len(s.option.InitAddress) > 1 {
			return errors.New("several hosts need redis+cluster:// or redis+sentinel://")
		}
		s.option.ForceSingleClient = true
		return s.database(path)
	case "cluster":
		s.Cluster = true
		if path != "" {
			return errors.New("a cluster has one database: nothing may stand behind the hosts")
		}
		return nil
	case "sentinel":
		name, db, _ := strings.Cut(path, "/")
		if name == "" {
			return errors.New("want the primary's name behind the hosts, as in redis+sentinel://host:26379/name")
		}
		s.option.Sentinel = rueidis.SentinelOption{MasterSet: name, TLSConfig: s.option.TLSConfig}
		return s.database(db)
	}
	return fmt.Errorf("want redis, redis+cluster or redis+sentinel, not redis+%s", kind)
}

func (s *Server) database(text string) (err error) {
	if text == "" {
		return nil
	}
	if s.option.SelectDB, err = strconv.Atoi(text); err != nil || s.option.SelectDB < 0 {
		return errors.New("want a number for the database")
	}
	return nil
}

// Connect dials. The client repeats nothing by itself: a question whose answer was lost may have been charged.
func (s Server) Connect() (rueidis.Client, error) {
	o := s.option
	o.DisableCache, o.DisableRetry, o.ClientName = true, true, "keyward"
	o.ConnWriteTimeout = 2 * time.Second
	o.Dialer.Timeout = time.Second
	if s.current != nil {
		s.follow(&o)
	}
	return rueidis.NewClient(o)
}

func (s Server) follow(o *rueidis.ClientOption) {
	user, password := o.Username, o.Password
	o.AuthCredentialsFn = func(rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
		return rueidis.AuthCredentials{Username: user, Password: cmp.Or(s.current.Load().Password, password)}, nil
	}
	o.DialCtxFn = func(ctx context.Context, address string, d *net.Dialer, c *tls.Config) (net.Conn, error) {
		if c == nil {
			return d.DialContext(ctx, "tcp", address)
		}
		c = c.Clone()
		c.RootCAs = s.current.Load().Authorities
		return (&tls.Dialer{NetDialer: d, Config: c}).DialContext(ctx, "tcp", address)
	}
}
