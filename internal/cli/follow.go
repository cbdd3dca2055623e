package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/server"
)

type followCmd struct {
	serverFlags
}

func (followCmd) Help() string {
	return `A follower: a process without a database that keeps a copy of every key in memory, follows a node over HTTPS, and answers
verifications beside your service. It answers verify, verify-batch, introspection, /check, Envoy, /healthz, /readyz and /metrics, and
nothing else, for service keys with the scope verify or follow. A key with limits, and a value that was imported in another form, it asks
the node about; that needs verify beside follow in its own service key. When its copy is older than KEYWARD_MAX_STALENESS it says 503.

Settings come from flags, and then from the environment (in brackets). Secrets have no flag: KEYWARD_SOURCE_TOKEN, KEYWARD_PEPPER.

Examples:
  KEYWARD_SOURCE_TOKEN=kw_svc_… keyward follow --source-url https://keyward.internal
  keyward follow --source-url https://keyward.internal --source-token-file /run/secrets/follow --addr unix:/run/keyward.sock`
}

// newFollowFlags makes a flag of each setting of a follower that is no secret.
func newFollowFlags() serverFlags {
	var list []config.Setting
	for _, s := range config.FollowSettings() {
		list = append(list, s.Setting)
	}
	return serverFlags{settings: list, given: map[string]string{}}
}

// Run follows until a signal comes. A second signal ends the process at once.
func (c *followCmd) Run(ctx context.Context, a *app) (err error) {
	cfg, err := config.LoadFollow(config.Sources{Flags: c.given, Environ: os.Environ()})
	if err != nil {
		return misconfigured{err}
	}
	noCoreDumps()
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	manager := newManager()
	f, err := server.NewFollower(ctx, cfg, server.Options{
		Program: program(), Version: a.version, Log: a.Err, Terminal: isTerminal(a.Err), Tell: manager.tell,
	})
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return nil // told to stop while it waited for its source
	case server.Lasting(err):
		return misconfigured{err}
	case err != nil:
		return err
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}()
	defer onHangup(func() { manager.reload(f.Reload) })()
	defer manager.watch(ctx)()
	return f.Run(ctx)
}
