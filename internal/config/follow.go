package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/keyfmt"
)

// Follow is everything that a follower can be told: the settings of a server that concern it, and its source.
type Follow struct {
	Config
	// Socket is the path of a unix socket to answer HTTP on, in place of Addr; "" is none.
	Socket string
	// SourceURL is the node that is followed: a scheme and a host.
	SourceURL string
	// SourceToken is the service key by which the source is asked, and SourceTokenFile a file with it, which is read
	// again with each question. One of them is set.
	SourceToken     keyfmt.Secret
	SourceTokenFile string
	// Name is what people call the follower.
	Name string
	// Feed offers the feed onward, to followers of this one.
	Feed bool
}

// FollowSetting is one thing that can be told to a follower.
type FollowSetting struct {
	Setting
	set func(*Follow, string) error
}

// shared are the settings of a server that a follower has as well.
var shared = []string{
	"KEYWARD_GRPC_ADDR",
	"KEYWARD_INSECURE",
	"KEYWARD_TLS_CERT",
	"KEYWARD_TLS_KEY",
	"KEYWARD_TRUSTED_PROXIES",
	"KEYWARD_MAX_CONNECTIONS",
	"KEYWARD_MAX_CONNECTIONS_PER_ADDRESS",
	"KEYWARD_PEPPER",
	"KEYWARD_PEPPER_PREVIOUS",
	"KEYWARD_ROUTES",
	"KEYWARD_MAX_STALENESS",
	"KEYWARD_DRAIN_DELAY",
	"KEYWARD_BAD_CREDENTIALS_PER_MINUTE",
	"KEYWARD_LIMIT_MODE",
	"KEYWARD_LIMIT_POLICY",
	"KEYWARD_LOG_LEVEL",
	"KEYWARD_LOG_FORMAT",
	"KEYWARD_ACCESS_LOG",
}

// FollowSettings lists every setting of a follower, in the order in which they are described to people.
func FollowSettings() []FollowSetting {
	list := []FollowSetting{
		{Setting{Env: "KEYWARD_SOURCE_URL", Form: "URL",
			Help: "The node to follow: `https://…`, or `http://` on this machine."}, setSourceURL},
		{Setting{Env: "KEYWARD_SOURCE_TOKEN", Secret: true,
			Help: "A service key with the scope `follow`, and with `verify` where values were imported."},
			func(f *Follow, v string) error { f.SourceToken = keyfmt.NewSecret(v); return nil }},
		{Setting{Env: "KEYWARD_SOURCE_TOKEN_FILE", Form: "FILE",
			Help: "A file with that service key, on its one line."},
			func(f *Follow, v string) error { f.SourceTokenFile = v; return nil }},
		{Setting{Env: "KEYWARD_FOLLOWER_NAME", Form: "NAME", Unset: "the machine's name",
			Help: "What people call this follower."}, setFollowerName},
		{Setting{Env: "KEYWARD_FEED",
			Help: "Offer the feed onward, to followers of this one."}, setFeed},
		{Setting{Env: "KEYWARD_ADDR", Form: "HOST:PORT", Default: "127.0.0.1:8080",
			Help: "Where to answer HTTP, or `unix:/path` for a socket."}, setFollowAddr},
	}
	for _, s := range Settings() {
		if slices.Contains(shared, s.Env) {
			list = append(list, FollowSetting{s, func(f *Follow, v string) error { return s.set(&f.Config, v) }})
		}
	}
	return list
}

func setFeed(f *Follow, v string) error { return setBool(&f.Feed, v) }

func setSourceURL(f *Follow, v string) (err error) {
	f.SourceURL, err = feedhttp.SourceURL(v)
	return err
}

func setFollowerName(f *Follow, v string) error {
	const most = 100
	if len(v) > most || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("want at most %d printable bytes", most)
	}
	f.Name = v
	return nil
}

func setFollowAddr(f *Follow, v string) error {
	if path, ok := strings.CutPrefix(v, "unix:"); ok {
		if !strings.HasPrefix(path, "/") {
			return fmt.Errorf("%q: want unix: and an absolute path, such as unix:/run/keyward.sock", v)
		}
		f.Socket, f.Addr = path, ""
		return nil
	}
	f.Socket = ""
	return setAddr(&f.Addr, v)
}

// LoadFollow is Load for a follower. Settings of a server that a follower does not have are named as unknown.
func LoadFollow(s Sources) (Follow, error) {
	f := Follow{Config: Default()}
	f.Database = ""
	env := environment(s.Environ)
	names := map[string]string{}
	known := []string{configEnv, "KEYWARD_URL", "KEYWARD_TOKEN"}
	for _, setting := range FollowSettings() {
		known = append(known, setting.Env)
		v, ok := pick(setting.Setting, s.Flags, env, nil)
		if !ok {
			continue
		}
		if broken := lineBreak(v.text); broken != "" {
			return Follow{}, fmt.Errorf("%s: %s a line break: take it out", v.name, broken)
		}
		if err := setting.set(&f, v.text); err != nil {
			return Follow{}, fmt.Errorf("%s: %w", v.name, err)
		}
		names[setting.Env] = v.name
	}
	for name := range env {
		if !slices.Contains(known, name) && !strings.HasPrefix(name, "KEYWARD_PORT") &&
			!strings.HasPrefix(name, "KEYWARD_SERVICE") {
			f.Unknown = append(f.Unknown, name)
		}
	}
	slices.Sort(f.Unknown)
	return f, f.check(func(env string) string {
		if name, ok := names[env]; ok {
			return name
		}
		return env
	})
}

// check checks the settings of a follower together.
func (f *Follow) check(name func(env string) string) error {
	switch {
	case f.SourceURL == "":
		return errors.New("KEYWARD_SOURCE_URL: is needed: the node to follow")
	case f.SourceToken.IsZero() == (f.SourceTokenFile == ""):
		return errors.New(
			"KEYWARD_SOURCE_TOKEN: give either this or KEYWARD_SOURCE_TOKEN_FILE: a service key with the scope follow",
		)
	}
	if f.SourceTokenFile != "" {
		if _, err := f.Token(); err != nil {
			return fmt.Errorf("%s: %w", name("KEYWARD_SOURCE_TOKEN_FILE"), err)
		}
	}
	if f.Routes != "" {
		if err := legible(f.Routes); err != nil {
			return fmt.Errorf("%s: %w", name("KEYWARD_ROUTES"), err)
		}
	}
	if err := f.checkTLS(name); err != nil {
		return err
	}
	if f.Addr != "" && !f.TLS() && !f.Insecure && !loopback(f.Addr) {
		return fmt.Errorf(
			"%s: %q can be reached by others, and plain HTTP would show them every key: set KEYWARD_TLS_CERT and "+
				"KEYWARD_TLS_KEY, or --insecure (KEYWARD_INSECURE=true) where a proxy in front speaks TLS",
			name("KEYWARD_ADDR"),
			f.Addr,
		)
	}
	if f.GRPCAddr != "" && !f.TLS() && !f.Insecure && !loopback(f.GRPCAddr) {
		return fmt.Errorf(
			"%s: %q can be reached by others, and plain text would show them every key",
			name("KEYWARD_GRPC_ADDR"),
			f.GRPCAddr,
		)
	}
	return nil
}

// Token gives the service key by which the source is asked.
func (f *Follow) Token() (keyfmt.Secret, error) {
	if f.SourceTokenFile == "" {
		return f.SourceToken, nil
	}
	return ReadPassword(f.SourceTokenFile)
}
