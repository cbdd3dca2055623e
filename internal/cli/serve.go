package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/server"
)

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
the certificate, the route table, the trusted proxies, and the passwords and authorities of Redis and PostgreSQL again.

Settings come from flags, then the environment (in brackets), then the file of --config. Secrets have no flag, because everybody on
a machine can see those: ` + strings.Join(
		secretSettings(),
		", ",
	) + `.

Examples:
  keyward serve
  keyward serve --addr 127.0.0.1:0 --database-url sqlite:/var/lib/keyward/keyward.db
  KEYWARD_DATABASE_URL=postgres://keyward@db.internal/keyward keyward serve
  keyward serve --addr :443 --tls-cert cert.pem --tls-key key.pem
  KEYWARD_PEPPER="$(cat pepper)" keyward serve --config /etc/keyward.yaml`
}

// secretSettings names the settings that have no flag.
func secretSettings() (names []string) {
	for _, s := range config.Settings() {
		if s.Secret {
			names = append(names, s.Env)
		}
	}
	return names
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
		Program: program(),
		Version: a.version, Log: a.Err, Terminal: isTerminal(a.Err), Notice: a.Out, Slow: server.SpareThreads(),
		Tell: manager.tell,
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

// program is how a shell calls this command again: by its path where it was called by one.
func program() string {
	if strings.ContainsRune(os.Args[0], os.PathSeparator) && !strings.ContainsAny(os.Args[0], " '\"$`\\") {
		return os.Args[0]
	}
	return "keyward"
}
