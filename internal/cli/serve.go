package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/server"
)

// serverFlags are the settings that may be given as flags; secrets may not, since others can see them. A nil one was not given.
type serverFlags struct {
	Addr           *string `placeholder:"HOST:PORT" help:"Where to answer HTTP; port 0 is a free one. Default: 127.0.0.1:8080. [KEYWARD_ADDR]"`
	DataAddr       *string `placeholder:"HOST:PORT" help:"A further listener for verify, verify-batch and /check alone. [KEYWARD_DATA_ADDR]"`
	GRPCAddr       *string `name:"grpc-addr" placeholder:"HOST:PORT" help:"Where to answer Envoy's gRPC ext_authz. Default: nowhere. [KEYWARD_GRPC_ADDR]"`
	Insecure       *bool   `help:"Admit plain HTTP beyond this machine. [KEYWARD_INSECURE]"`
	TLSCert        *string `name:"tls-cert" placeholder:"FILE" help:"Certificate chain, PEM. [KEYWARD_TLS_CERT]"`
	TLSKey         *string `name:"tls-key" placeholder:"FILE" help:"Its private key, PEM. [KEYWARD_TLS_KEY]"`
	TrustedProxies *string `placeholder:"CIDR,..." help:"Whose forwarded headers are believed. [KEYWARD_TRUSTED_PROXIES]"`
	MaxConnections *string `placeholder:"N" help:"Open connections of a listener. Default: 10000. [KEYWARD_MAX_CONNECTIONS]"`
	MaxPerAddress  *string `name:"max-connections-per-address" placeholder:"N" help:"Those from one address that is no trusted proxy. Default: 2500. [KEYWARD_MAX_CONNECTIONS_PER_ADDRESS]"`
	MetricsAddr    *string `placeholder:"HOST:PORT" help:"A listener of its own for /metrics. [KEYWARD_METRICS_ADDR]"`
	DatabaseURL    *string `name:"database-url" placeholder:"URL" help:"sqlite:FILE, or postgres://USER@HOST/DATABASE. Default: sqlite:./keyward.db. [KEYWARD_DATABASE_URL]"`
	KeyPrefix      *string `placeholder:"WORD" help:"What every key begins with. Default: kw. [KEYWARD_KEY_PREFIX]"`
	Catalogue      *string `placeholder:"FILE" help:"A catalogue of permissions, YAML. Default: built in. [KEYWARD_CATALOGUE]"`
	Routes         *string `placeholder:"FILE" help:"A route table for gateways, YAML; SIGHUP reads it again. [KEYWARD_ROUTES]"`
	MaxStaleness   *string `placeholder:"DURATION" help:"How old a node's knowledge may be. Default: 5s. [KEYWARD_MAX_STALENESS]"`
	Reveal         *string `name:"idempotency-reveal" placeholder:"DURATION" help:"How long a repeated request with an Idempotency-Key gets the same value again; 0: never. Default: 10m. [KEYWARD_IDEMPOTENCY_REVEAL]"`
	DrainDelay     *string `placeholder:"DURATION" help:"How long /readyz says no before connections are closed at a stop. Default: 0s. [KEYWARD_DRAIN_DELAY]"`
	UsageMinutes   *string `placeholder:"DURATION" help:"How long usage is kept by the minute; 0: not at all. Default: 48h. [KEYWARD_USAGE_MINUTES]"`
	UsageHours     *string `placeholder:"DURATION" help:"The same by the hour. Default: 90d. [KEYWARD_USAGE_HOURS]"`
	UsageDays      *string `placeholder:"DURATION" help:"The same by the day. Default: 730d. [KEYWARD_USAGE_DAYS]"`
	UsageWaiting   *string `placeholder:"N" help:"How many keys and minutes of usage wait in memory at most. Default: 1000000. [KEYWARD_USAGE_WAITING]"`
	PublicURL      *string `name:"public-url" placeholder:"URL" help:"Where browsers reach this server. Default: as each request says. [KEYWARD_PUBLIC_URL]"`
	OIDCIssuer     *string `name:"oidc-issuer" placeholder:"URL" help:"The OpenID provider at which people sign in. [KEYWARD_OIDC_ISSUER]"`
	OIDCClientID   *string `name:"oidc-client-id" placeholder:"ID" help:"Our name there. [KEYWARD_OIDC_CLIENT_ID]"`
	OIDCUserClaim  *string `name:"oidc-user-claim" placeholder:"CLAIM" help:"Which claim is the user's id. Default: sub. [KEYWARD_OIDC_USER_CLAIM]"`
	OIDCAudience   *string `name:"oidc-audience" placeholder:"NAME" help:"Whom access tokens name, where not the client. [KEYWARD_OIDC_AUDIENCE]"`
	BadCredentials *string `name:"bad-credentials-per-minute" placeholder:"N" help:"Attempts with credentials that are none, for each address; 0: no limit. Default: 300. [KEYWARD_BAD_CREDENTIALS_PER_MINUTE]"`
	Creation       *string `name:"workspace-creation" placeholder:"WHO" help:"Who may create workspaces: operators or anyone. Default: operators. [KEYWARD_WORKSPACE_CREATION]"`
	StrictRestart  *bool   `help:"After a crash, refuse keys with a limit per minute for a minute. [KEYWARD_STRICT_RESTART]"`
	LimitMode      *string `placeholder:"MODE" help:"How nodes share limits per minute: leased, exact or local. Default: leased. [KEYWARD_LIMIT_MODE]"`
	LimitModes     *string `placeholder:"ID=MODE,…" help:"Another mode for single workspaces. [KEYWARD_LIMIT_MODES]"`
	LimitPolicy    *string `placeholder:"POLICY" help:"What holds while Redis cannot be asked: share, open or closed. Default: share. [KEYWARD_LIMIT_POLICY]"`
	LogLevel       *string `placeholder:"LEVEL" help:"debug, info, warn or error. Default: info. [KEYWARD_LOG_LEVEL]"`
	LogFormat      *string `placeholder:"FORMAT" help:"text or json. Default: text on a terminal, else json. [KEYWARD_LOG_FORMAT]"`
	AccessLog      *string `placeholder:"MODE" help:"Which verifications and checks have a line in the log: off, errors, sampled or all. Default: errors. [KEYWARD_ACCESS_LOG]"`
	Config         *string `placeholder:"FILE" help:"A YAML file with settings, named as the flags with _ for -. [KEYWARD_CONFIG]"`
}

// load reads flags, environment and file.
func (f *serverFlags) load() (config.Config, error) {
	given := make(map[string]string)
	for name, v := range map[string]*string{
		"addr": f.Addr, "data-addr": f.DataAddr, "max-connections": f.MaxConnections, "max-connections-per-address": f.MaxPerAddress, "tls-cert": f.TLSCert, "tls-key": f.TLSKey, "trusted-proxies": f.TrustedProxies,
		"metrics-addr": f.MetricsAddr, "grpc-addr": f.GRPCAddr, "database-url": f.DatabaseURL, "key-prefix": f.KeyPrefix, "catalogue": f.Catalogue, "routes": f.Routes,
		"usage-minutes": f.UsageMinutes, "usage-hours": f.UsageHours, "usage-days": f.UsageDays, "usage-waiting": f.UsageWaiting,
		"max-staleness": f.MaxStaleness, "drain-delay": f.DrainDelay, "idempotency-reveal": f.Reveal, "log-level": f.LogLevel, "log-format": f.LogFormat, "access-log": f.AccessLog,
		"public-url": f.PublicURL, "oidc-issuer": f.OIDCIssuer, "oidc-client-id": f.OIDCClientID, "oidc-user-claim": f.OIDCUserClaim,
		"oidc-audience": f.OIDCAudience, "bad-credentials-per-minute": f.BadCredentials, "workspace-creation": f.Creation,
		"limit-mode": f.LimitMode, "limit-modes": f.LimitModes, "limit-policy": f.LimitPolicy, config.ConfigFlag: f.Config,
	} {
		if v != nil {
			given[name] = *v
		}
	}
	for name, v := range map[string]*bool{"insecure": f.Insecure, "strict-restart": f.StrictRestart} {
		if v != nil {
			given[name] = strconv.FormatBool(*v)
		}
	}
	return config.Load(config.Sources{Flags: given, Environ: os.Environ()})
}

type serveCmd struct {
	serverFlags
	initFlag
}

// initFlag is for the first start in odd cases, and for no other: so no setting has it.
type initFlag struct {
	Init bool `help:"Make a new, empty SQLite database although something beside it says that there was one."`
}

func (serveCmd) Help() string {
	return `A whole installation in one process: it makes ./keyward.db where there is none, loads every key into memory, and answers on
127.0.0.1:8080. The first start prints the root key, once. SIGTERM and Ctrl-C stop it in order; SIGHUP reads
the route table and the certificate again.

Settings come from flags, then the environment (in brackets), then the file of --config. Secrets have no flag, because everybody on
a machine can see those: KEYWARD_ROOT_KEY, KEYWARD_PEPPER, KEYWARD_PEPPER_PREVIOUS, KEYWARD_IMPORT_SECRETS,
KEYWARD_OIDC_CLIENT_SECRET, KEYWARD_REDIS_URL.

Examples:
  keyward serve
  keyward serve --addr 127.0.0.1:0 --database-url sqlite:/var/lib/keyward/keyward.db
  KEYWARD_DATABASE_URL=postgres://keyward@db.internal/keyward keyward serve
  keyward serve --addr :443 --tls-cert cert.pem --tls-key key.pem
  KEYWARD_PEPPER="$(cat pepper)" keyward serve --config /etc/keyward.yaml`
}

// Run serves until a signal comes. A second signal ends the process at once.
func (c *serveCmd) Run(ctx context.Context, a *app) (err error) {
	cfg, err := c.load()
	if err != nil {
		return misconfigured{err}
	}
	cfg.Init = c.Init
	noCoreDumps()
	signal.Ignore(syscall.SIGPIPE) // a log whose reader is gone is counted as lost, and does not end the server
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	manager := newManager()
	s, err := server.New(ctx, cfg, server.Options{
		Version: a.version, Log: a.Err, Terminal: isTerminal(a.Err), Notice: a.Out, Slow: onOneProcessor(), Tell: manager.tell,
	})
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return nil // told to stop while it waited for the database
	case server.Lasting(err):
		return misconfigured{err}
	case err != nil:
		return err
	}
	defer func() {
		if closed := s.Close(); err == nil {
			err = closed
		}
	}()
	defer onHangup(func() { manager.reload(s.Reload) })()
	defer manager.watch(ctx)()
	return s.Run(ctx)
}

// onHangup calls do for every SIGHUP, one after the other, until it is stopped.
func onHangup(do func()) (stop func()) {
	hangups, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range hangups {
			do()
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}
