// Package config owns the settings of a server: their names, their sources and their permitted values. It reads
// flags, then the environment, then a file, and returns either a whole Config or one line that names the wrong
// setting. It does not own their use (server).
package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/keyward/keyward/internal/accesslog"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/keyward/keyward/internal/usage"
)

// Config is everything that a server can be told. Default gives it its good values; Load fills it from outside.
type Config struct {
	// Addr is where HTTP is answered: host:port. An empty host is every address, port 0 a free port.
	Addr string
	// DataAddr, where given, is a further listener for verify, verify-batch and /check alone.
	DataAddr string
	// MaxConnections bounds the open connections of a listener; MaxConnectionsPerAddress those from one address that is
	// no trusted proxy.
	MaxConnections           int
	MaxConnectionsPerAddress int
	// MetricsAddr, where given, moves /metrics away from Addr to a listener of its own.
	MetricsAddr string
	// GRPCAddr is where Envoy's gRPC is answered; "" answers none.
	GRPCAddr string
	// Insecure admits plain HTTP on an address that others can reach, for a server behind a proxy that speaks TLS.
	Insecure bool
	// TLSCert and TLSKey are the files of a certificate and its key, in PEM; both or neither.
	TLSCert string
	TLSKey  string
	// TrustedProxies are believed about the clients that they forward for.
	TrustedProxies []netip.Prefix
	// TrustedProxiesFile is a file with further ones, which is read again while the server runs; "" is none.
	TrustedProxiesFile string

	// PublicURL is where browsers reach the server: a scheme and a host. "" takes it from each request.
	PublicURL string
	// OIDC is the provider at which people sign in.
	OIDC OIDC

	// Database is the path of the SQLite file; or, if Postgres is set, the part of that which may be shown.
	Database string
	// Init lets a new file be made where something says that there was one before. No setting has it: it is for one
	// start.
	Init bool
	// Postgres is the URL of a PostgreSQL database; zero for SQLite.
	Postgres keyfmt.Secret
	// RootKey is the root service key; zero has one minted at the first start.
	RootKey keyfmt.Secret
	// KeyPrefix stands at the front of every key.
	KeyPrefix string
	// Pepper keys the digests of keys; zero is plain SHA-256. PepperPrevious are earlier ones whose digests are still
	// recognised, where "none" stands for plain SHA-256.
	Pepper         keyfmt.Secret
	PepperPrevious []keyfmt.Secret
	// ImportSecrets key the digests of keys that other systems made.
	ImportSecrets []ImportSecret
	// Catalogue is the file of a catalogue; "" is the built-in one.
	Catalogue string

	// Routes is the file of a route table for the gateway checks; "" is none.
	Routes string

	// MaxStaleness is how old a node's knowledge may be before it stops saying that a key is good.
	MaxStaleness time.Duration
	// IdempotencyReveal is how long a repeated request with an Idempotency-Key gets the same value again; 0 is never.
	IdempotencyReveal time.Duration
	// DrainDelay is how long a node that was told to stop says at /readyz that it is not ready, and still answers
	// everything, before it closes connections.
	DrainDelay time.Duration

	// UsageKept says how long figures of usage are kept, in each length of time; 0 keeps none of it.
	UsageKept usage.Retention
	// UsageWaiting is how many keys and minutes of usage are held in memory, at most, until they are written.
	UsageWaiting int
	// EventsKept is how long events stay in the log at least; 0 is for ever. EventsArchiveDir is where the server
	// archives older ones; "" leaves that to the command.
	EventsKept       time.Duration
	EventsArchiveDir string
	// BadCredentials is how many attempts a minute with credentials that are none one address may make; 0 is no limit.
	BadCredentials int
	// WebhookNetworks are those beside the public Internet to which notices may be sent.
	WebhookNetworks []netip.Prefix
	// AnyoneCreatesWorkspaces lets each person make workspaces; without it operators alone do.
	AnyoneCreatesWorkspaces bool
	// MCP says which tools for agents are at /mcp.
	MCP MCPMode
	// StrictRestart has a start after a crash refuse keys with a limit per minute for a minute, rather than admit twice
	// the limit once.
	StrictRestart bool
	// Redis is the URL of the store of shared minute limits; zero has each node count for itself.
	Redis keyfmt.Secret
	// RedisCAFile has the certificates of the authorities that Redis's own is checked by, RedisPasswordFile its
	// password, and DatabasePasswordFile that of PostgreSQL; "" is none. They are read again while the server runs.
	RedisCAFile          string
	RedisPasswordFile    string
	DatabasePasswordFile string
	// LimitMode is the way in which nodes share, and LimitModes that of single workspaces. LimitPolicy holds without
	// Redis.
	LimitMode   lease.Mode
	LimitModes  map[id.Workspace]lease.Mode
	LimitPolicy lease.Policy

	// LogLevel is the least level that is logged; LogFormat is "text", "json", or "" for text on a terminal and JSON
	// elsewhere.
	LogLevel  slog.Level
	LogFormat string
	// AccessLog says which requests of the data plane have a line in it.
	AccessLog accesslog.Mode

	// Odd are sentences on values that are taken and most likely not meant, for a warning; each begins with the
	// setting's name.
	Odd []string
	// Unknown lists names in the environment that look like settings and are none, for a warning.
	Unknown []string
}

// MCPMode says which tools for agents there are.
type MCPMode string

// The modes.
const (
	MCPOff   MCPMode = "off"
	MCPRead  MCPMode = "read"
	MCPWrite MCPMode = "write" // with those that change something
)

// Default holds the defaults of the table of settings.
func Default() Config {
	var c Config
	for _, s := range Settings() {
		if s.Default == "" {
			continue
		}
		if err := s.set(&c, s.Default); err != nil {
			panic("config: the default of " + s.Env + ": " + err.Error()) // a test reads them all
		}
	}
	return c
}

// Format gives the keys' format.
func (c *Config) Format() (keyfmt.Format, error) { return keyfmt.NewFormat(c.KeyPrefix) }

// Digester returns the digester of keys.
func (c *Config) Digester() (*keyfmt.Digester, error) {
	previous := make([]string, len(c.PepperPrevious))
	for i, p := range c.PepperPrevious {
		previous[i] = p.Reveal()
	}
	d, err := keyfmt.NewDigester(c.Pepper.Reveal(), previous...)
	if err != nil {
		return nil, err
	}
	for _, s := range c.ImportSecrets {
		d.AddImportSecret(s.Name, []byte(s.Value.Reveal()))
	}
	return d, nil
}

// TLS tells whether HTTP is answered with TLS.
func (c *Config) TLS() bool { return c.TLSCert != "" }
