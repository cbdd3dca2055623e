package followers_test

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// installation is a core of one node with SQLite, or of several with PostgreSQL, a standby and Redis. A core that was
// killed admits nothing by the minute for a while, and so does one that loses Redis: its limits are exact throughout.
type installation struct {
	*core
	nodes []*process // all of them

	postgres, standby *pgtest.Server
	redis             *rig.Redis
	databases         []*rig.Link // of each node to PostgreSQL

	clock *rig.SteppedClock // of the nodes
}

// strict are the settings of nodes and followers by which nothing too much is ever admitted.
var strict = []string{"KEYWARD_LIMIT_POLICY=closed"}

// stepped builds the command with a clock that tests set.
var stepped = sync.OnceValues(func() (string, error) {
	built, remove, err := rig.BuildStepped()
	removeStepped = remove
	return built, err
})

var removeStepped = func() {}

// sole is a core of one node.
func sole(t testing.TB, binary string) *installation {
	t.Helper()
	at := &installation{clock: rig.NewSteppedClock(t)}
	at.core = startCoreBy(t, binary, "", limit, append(strict, "KEYWARD_STRICT_RESTART=true", at.clock.Env)...)
	at.nodes = []*process{at.process}
	return at
}

// several is a core of three nodes. Commits wait for the standby, so that a failover loses none that was acknowledged,
// unless it is asynchronous.
func several(t testing.TB, binary string, asynchronous bool) *installation {
	t.Helper()
	at := &installation{redis: rig.StartRedis(t), clock: rig.NewSteppedClock(t)}
	at.postgres = pgtest.Own(t, "synchronous_commit=on", "wal_receiver_status_interval=1s", "hot_standby_feedback=off")
	at.postgres.Run(t, "postgres", "CREATE DATABASE keyward TEMPLATE template0")
	at.standby = at.postgres.Standby(t)
	if !asynchronous {
		at.postgres.Run(t, "postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
		at.postgres.Run(t, "postgres", "SELECT pg_reload_conf()")
	}
	at.core = &core{limit: limit}
	root := newRoot(t)
	for range 3 {
		link := rig.NewLink(t, at.primary())
		at.databases = append(at.databases, link)
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(rig.FreePort(t)))
		database := "postgres://postgres@" + link.Addr + "/keyward?sslmode=disable"
		env := append(settings(addr, root, database, limit), "KEYWARD_REDIS_URL=redis://"+at.redis.Addr, at.clock.Env)
		at.nodes = append(at.nodes, launch(t, binary, addr, root, append(env, strict...), "serve"))
	}
	for _, n := range at.nodes {
		n.ready()
	}
	at.process = at.nodes[0]
	at.ws = at.workspace("W")
	return at
}

func (at *installation) primary() string { return fmt.Sprintf("127.0.0.1:%d", at.postgres.Port) }

// failover lets the primary fall for good and puts the standby in its place, as an address that moves does.
func (at *installation) failover() {
	at.t.Helper()
	at.postgres.Down(syscall.SIGQUIT)
	at.standby.Promote(at.t)
	at.postgres = at.standby
	for _, link := range at.databases {
		link.Lead(at.primary())
	}
}

// ready waits until every node is.
func (at *installation) ready() {
	at.t.Helper()
	for _, n := range at.nodes {
		n.ready()
	}
}
