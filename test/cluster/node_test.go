package cluster_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

// node is one `keyward serve`, with links of its own to the database and to Redis.
type node struct {
	t        testing.TB
	name     string
	url      string
	database *rig.Link
	redis    *rig.Link
	binary   string
	env      []string
	log      string
	client   *keyward.Client
	process  *rig.Process
}

// staleness is the bound of this installation: short, so that a schedule has time to cross it.
const staleness = 2 * time.Second

func (c *cluster) newNode(i int) *node {
	n := &node{
		t: c.t, name: fmt.Sprintf("node %d", i), binary: binary, database: rig.NewLink(c.t, c.primary()),
		redis: rig.NewLink(c.t, c.redis.Addr),
	}
	addr := "127.0.0.1:" + strconv.Itoa(rig.FreePort(c.t))
	n.url, n.log = "http://"+addr, filepath.Join(c.t.TempDir(), "keyward.log")
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "KEYWARD_") {
			n.env = append(n.env, e)
		}
	}
	n.env = append(
		n.env, "KEYWARD_ADDR="+addr, "KEYWARD_ROOT_KEY="+c.root, "KEYWARD_LOG_FORMAT=json", "KEYWARD_LOG_LEVEL=warn",
		"KEYWARD_MAX_STALENESS="+staleness.String(), "KEYWARD_REDIS_URL=redis://"+n.redis.Addr,
		"KEYWARD_DATABASE_URL=postgres://postgres@"+n.database.Addr+"/"+c.database+"?sslmode=disable",
	)
	var err error
	n.client, err = keyward.New(n.url, keyward.WithToken(c.root), keyward.WithRetry(0),
		keyward.WithHTTPClient(&http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}))
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (n *node) start() {
	n.t.Helper()
	cmd := exec.Command(n.binary, "serve")
	cmd.Env = n.env
	n.process = rig.StartProcess(n.t, cmd, n.log)
}

// ready waits until the node says that a load balancer may send it requests.
func (n *node) ready() {
	n.t.Helper()
	rig.WaitFor(n.t, n.name+" to be ready", func() error {
		select {
		case <-n.process.Done():
			n.t.Fatalf("%s has ended: %s", n.name, n.process.Log())
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return n.client.Ready(ctx)
	})
}

func (n *node) kill()   { n.process.Kill() }
func (n *node) freeze() { n.process.Signal(syscall.SIGSTOP) }
func (n *node) thaw()   { n.process.Signal(syscall.SIGCONT) }
