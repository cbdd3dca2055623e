package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/usage"
)

// Setting is one thing that can be told to a server. The table of Settings is the only list of them: flags,
// environment, file, the help of the command and the page for operators are made of it.
type Setting struct {
	Env      string // the name in the environment
	Form     string // of the flag's value, for people; "" for a flag without a value
	Default  string // the value that holds where none is given, as it would be given; "" for none
	Unset    string // without a Default, what holds instead; "" for nothing
	Help     string // a sentence or two for people, in Markdown
	Secret   bool   // never shown, and not taken from a flag: other users see a command's arguments
	Reloaded bool   // its file is read again while the server runs
	set      func(*Config, string) error
}

// Flag is the name of the setting's flag, without dashes; "" where there is none.
func (s Setting) Flag() string {
	if s.Secret {
		return ""
	}
	return strings.ReplaceAll(s.Key(), "_", "-")
}

// Key is the setting's name in a file.
func (s Setting) Key() string { return strings.ToLower(strings.TrimPrefix(s.Env, prefix)) }

// IsSwitch tells whether the setting is true or false, so that its flag needs no value.
func (s Setting) IsSwitch() bool { return s.Form == "" && !s.Secret }

// markup matches the additions of Markdown to a text: quotes of code, and links.
var markup = regexp.MustCompile("`([^`]*)`|\\[([^]]*)\\]\\([^)]*\\)")

// Usage is the help on one line without Markdown, with the default and the name in the environment.
func (s Setting) Usage() string {
	text := s.Help
	switch {
	case s.Default != "":
		text += " Default: " + s.Default + "."
	case s.Unset != "":
		text += " Default: " + s.Unset + "."
	}
	return markup.ReplaceAllString(text, "$1$2") + " [" + s.Env + "]"
}

const (
	prefix    = "KEYWARD_"
	configEnv = "KEYWARD_CONFIG"
	// ConfigFlag names the flag that says where the file is.
	ConfigFlag = "config"
)

// Settings lists every setting, in the order in which they are described to people.
func Settings() []Setting { return slices.Clone(settings) }

var settings = []Setting{
	{Env: "KEYWARD_ADDR", Form: "HOST:PORT", Default: "127.0.0.1:8080",
		Help: "Where to answer HTTP. Port 0 is a free one.",
		set:  func(c *Config, v string) error { return setAddr(&c.Addr, v) }},
	{Env: "KEYWARD_DATA_ADDR", Form: "HOST:PORT",
		Help: "A further listener for verify, verify-batch and `/check` alone: see [The data " +
			"plane](#the-data-plane).",
		set: func(c *Config, v string) error { return setAddr(&c.DataAddr, v) }},
	{Env: "KEYWARD_GRPC_ADDR", Form: "HOST:PORT",
		Help: "Where to answer Envoy's gRPC ext_authz, with TLS as for HTTP.",
		set:  func(c *Config, v string) error { return setAddr(&c.GRPCAddr, v) }},
	{Env: "KEYWARD_METRICS_ADDR", Form: "HOST:PORT",
		Help: "Moves `/metrics` to a listener of its own.",
		set:  func(c *Config, v string) error { return setAddr(&c.MetricsAddr, v) }},
	{Env: "KEYWARD_INSECURE", Default: "false",
		Help: "Admits plain HTTP beyond this machine.",
		set:  func(c *Config, v string) error { return setBool(&c.Insecure, v) }},
	{Env: "KEYWARD_TLS_CERT", Form: "FILE", Reloaded: true,
		Help: "The certificate chain, PEM. It needs the private key, too.",
		set:  func(c *Config, v string) error { c.TLSCert = v; return nil }},
	{Env: "KEYWARD_TLS_KEY", Form: "FILE", Reloaded: true,
		Help: "The certificate's private key, PEM.",
		set:  func(c *Config, v string) error { c.TLSKey = v; return nil }},
	{Env: "KEYWARD_TRUSTED_PROXIES", Form: "CIDR,…",
		Help: "The proxies whose forwarded headers are believed.",
		set:  setTrustedProxies},
	{Env: "KEYWARD_TRUSTED_PROXIES_FILE", Form: "FILE", Reloaded: true,
		Help: "A file with further ones, one or several on each line; `#` begins a comment.",
		set:  func(c *Config, v string) error { c.TrustedProxiesFile = v; return nil }},
	{Env: "KEYWARD_MAX_CONNECTIONS", Form: "N", Default: "10000",
		Help: "Open connections of a listener, gRPC and metrics among them. One above it is closed at once.",
		set:  func(c *Config, v string) error { return setCount(&c.MaxConnections, v) }},
	{Env: "KEYWARD_MAX_CONNECTIONS_PER_ADDRESS", Form: "N", Default: "2500",
		Help: "Open connections from one address, or one IPv6 network of 64 bits, that is no trusted proxy.",
		set:  func(c *Config, v string) error { return setCount(&c.MaxConnectionsPerAddress, v) }},
	{Env: "KEYWARD_DATABASE_URL", Form: "URL", Default: "sqlite:./keyward.db",
		Help: "The database: `sqlite:FILE`, or `postgres://USER@HOST:PORT/DATABASE`.",
		set:  setDatabase},
	{Env: "KEYWARD_DATABASE_PASSWORD_FILE", Form: "FILE", Reloaded: true,
		Help: "PostgreSQL's password, on the one line of a file.",
		set:  func(c *Config, v string) error { c.DatabasePasswordFile = v; return nil }},
	{Env: "KEYWARD_ROOT_KEY", Unset: "made at the first start", Secret: true,
		Help: "The root service key, in the format of every key.",
		set:  func(c *Config, v string) error { c.RootKey = keyfmt.NewSecret(v); return nil }},
	{Env: "KEYWARD_KEY_PREFIX", Form: "WORD", Default: "kw",
		Help: "The start of every key: 1 to 16 lower-case letters and digits, a letter first.",
		set:  setKeyPrefix},
	{Env: "KEYWARD_PEPPER", Secret: true,
		Help: "A secret in every digest, without a comma. Make it long and random, as `openssl rand " +
			"-base64 32` does.",
		set: setPepper},
	{Env: "KEYWARD_PEPPER_PREVIOUS", Secret: true,
		Help: "Earlier peppers, with commas. The word `none` admits keys made without one.",
		set:  setPepperPrevious},
	{Env: "KEYWARD_IMPORT_SECRETS", Secret: true,
		Help: "Secrets of imported HMAC digests: `name=value,name=value`, or `@/path` of a file with a " +
			"line for each. `name:hex=…` and `name:base64=…` are bytes.",
		set: setImportSecrets},
	{Env: "KEYWARD_CATALOGUE", Form: "FILE", Unset: "built in",
		Help: "A catalogue of permissions of your own, YAML.",
		set:  func(c *Config, v string) error { c.Catalogue = v; return nil }},
	{Env: "KEYWARD_ROUTES", Form: "FILE", Reloaded: true,
		Help: "The route table for gateways, YAML.",
		set:  func(c *Config, v string) error { c.Routes = v; return nil }},
	{Env: "KEYWARD_MAX_STALENESS", Form: "DURATION", Default: "5s",
		Help: "How old a node's knowledge may be before verifications are answered 503.",
		set:  setMaxStaleness},
	{Env: "KEYWARD_DRAIN_DELAY", Form: "DURATION", Default: "0s",
		Help: "At a stop, how long `/readyz` says 503 before connections are closed. Make it longer than " +
			"your load balancer takes to notice.",
		set: setDrainDelay},
	{Env: "KEYWARD_IDEMPOTENCY_REVEAL", Form: "DURATION", Default: "10m",
		Help: "How long a request that is repeated under its `Idempotency-Key` shows the same value " +
			"again, up to 24h. 0 is never.",
		set: setIdempotencyReveal},
	{Env: "KEYWARD_WEBHOOK_ALLOW_NETWORKS", Form: "CIDR,…",
		Help: "Networks beside the public Internet to which [webhooks](webhooks.md) may send, also over plain HTTP.",
		set:  setWebhookNetworks},
	{Env: "KEYWARD_USAGE_MINUTES", Form: "DURATION", Default: "48h",
		Help: "How long usage is kept by the minute. 0 keeps none.",
		set:  func(c *Config, v string) error { return setKept(c, usage.Minute, v) }},
	{Env: "KEYWARD_USAGE_HOURS", Form: "DURATION", Default: "90d",
		Help: "How long usage is kept by the hour. 0 keeps none.",
		set:  func(c *Config, v string) error { return setKept(c, usage.Hour, v) }},
	{Env: "KEYWARD_USAGE_DAYS", Form: "DURATION", Default: "730d",
		Help: "How long usage is kept by the day. 0 keeps none.",
		set:  func(c *Config, v string) error { return setKept(c, usage.Day, v) }},
	{Env: "KEYWARD_USAGE_WAITING", Form: "N", Default: "1000000",
		Help: "How many keys and minutes of usage wait in memory until they are written.",
		set:  setUsageWaiting},
	{Env: "KEYWARD_EVENTS_KEEP", Form: "DURATION", Unset: "for ever",
		Help: "How long events stay in the log at least, from `1d`. Older ones go once an archive holds them: see [Keep the log of changes " +
			"small](#keep-the-log-of-changes-small).",
		set: setEventsKept},
	{Env: "KEYWARD_EVENTS_ARCHIVE_DIR", Form: "DIR",
		Help: "Where the server itself archives events that are older than `KEYWARD_EVENTS_KEEP`.",
		set:  func(c *Config, v string) error { c.EventsArchiveDir = v; return nil }},
	{Env: "KEYWARD_BAD_CREDENTIALS_PER_MINUTE", Form: "N", Default: "300",
		Help: "Attempts with a wrong credential from one address, or one IPv6 network of 64 bits, in any 60 seconds on a node; " +
			"those beyond are answered 429. 0 is no limit.",
		set: setBadCredentials},
	{Env: "KEYWARD_WORKSPACE_CREATION", Form: "WHO", Default: "operators",
		Help: "The callers that may create workspaces: `operators`, which are service keys with the " +
			"scope manage, or `anyone`.",
		set: setWorkspaceCreation},
	{Env: "KEYWARD_MCP", Form: "MODE", Default: "off",
		Help: "Tools for agents at `/mcp`: `off`, `read`, or `write` with those that change something, see [MCP](mcp.md).",
		set:  setMCP},
	{Env: "KEYWARD_STRICT_RESTART", Default: "false",
		Help: "After a crash, refuses keys with a limit per minute for a minute: see " +
			"[limits](limits.md#what-a-restart-does).",
		set: func(c *Config, v string) error { return setBool(&c.StrictRestart, v) }},
	{Env: "KEYWARD_PUBLIC_URL", Form: "URL", Unset: "as each request says",
		Help: "The address by which browsers reach this server, without a path.",
		set:  setPublicURL},
	{Env: "KEYWARD_OIDC_ISSUER", Form: "URL",
		Help: "The OpenID provider at which people sign in: see [Signing in](#signing-in).",
		set:  setOIDCIssuer},
	{Env: "KEYWARD_OIDC_CLIENT_ID", Form: "ID",
		Help: "Keyward's name at the OpenID provider.",
		set:  func(c *Config, v string) error { c.OIDC.ClientID = v; return nil }},
	{Env: "KEYWARD_OIDC_CLIENT_SECRET", Secret: true,
		Help: "Keyward's secret at the OpenID provider. A public client has none.",
		set:  func(c *Config, v string) error { c.OIDC.ClientSecret = keyfmt.NewSecret(v); return nil }},
	{Env: "KEYWARD_OIDC_USER_CLAIM", Form: "CLAIM", Default: "sub",
		Help: "The claim of the provider's tokens that is the `userId`.",
		set:  func(c *Config, v string) error { c.OIDC.UserClaim = v; return nil }},
	{Env: "KEYWARD_OIDC_AUDIENCE", Form: "NAME",
		Help: "The audience of access tokens for the API, besides the client.",
		set:  func(c *Config, v string) error { c.OIDC.Audience = v; return nil }},
	{Env: "KEYWARD_REDIS_URL", Secret: true,
		Help: "Redis or Valkey, over which nodes share limits per minute: " +
			"`redis://[user:password@]host:port[/db]`, `redis+cluster://h1:p,h2:p`, " +
			"`redis+sentinel://h1:p,h2:p/name`; `rediss…` with TLS.",
		set: setRedis},
	{Env: "KEYWARD_REDIS_PASSWORD_FILE", Form: "FILE", Reloaded: true,
		Help: "Redis's password, on the one line of a file.",
		set:  func(c *Config, v string) error { c.RedisPasswordFile = v; return nil }},
	{Env: "KEYWARD_REDIS_CA_FILE", Form: "FILE", Unset: "the system's authorities", Reloaded: true,
		Help: "The certificates of the authorities that Redis's own is checked by, PEM.",
		set:  func(c *Config, v string) error { c.RedisCAFile = v; return nil }},
	{Env: "KEYWARD_LIMIT_MODE", Form: "MODE", Default: "leased",
		Help: "How nodes share limits per minute: `leased`, `exact` or `local`, see " +
			"[limits](limits.md#several-nodes).",
		set: setLimitMode},
	{Env: "KEYWARD_LIMIT_MODES", Form: "ID=MODE,…",
		Help: "Another mode for single workspaces: `<workspace id>=<mode>`, with commas.",
		set:  setLimitModes},
	{Env: "KEYWARD_LIMIT_POLICY", Form: "POLICY", Default: "share",
		Help: "The rule while Redis cannot be asked: `share`, `open` or `closed`.",
		set:  setLimitPolicy},
	{Env: "KEYWARD_LOG_LEVEL", Form: "LEVEL", Default: "info",
		Help: "The least level that is logged: `debug`, `info`, `warn` or `error`.",
		set:  setLogLevel},
	{Env: "KEYWARD_LOG_FORMAT", Form: "FORMAT", Unset: "`text` on a terminal, else `json`",
		Help: "The form of the log: `text` or `json`.",
		set:  setLogFormat},
	{Env: "KEYWARD_ACCESS_LOG", Form: "MODE", Default: "errors",
		Help: "The verifications and checks that have a line in the log: `off`, `errors`, `sampled` or " +
			"`all`, see [Logs](#logs).",
		set: setAccessLog},
}
