package cluster_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// moving is an installation on a file, at which clients work while it is moved to PostgreSQL.
type moving struct {
	*cluster
	old  *node
	file string
	ws   string

	stop  chan struct{}
	tasks sync.WaitGroup

	steady   []made // never touched: valid all the time
	day      made   // with a limit per day
	verified atomic.Int64
	admitted atomic.Int64 // of the day's limit, through whichever server

	mu    sync.Mutex
	state map[string]state // of keys whose last change was acknowledged
	taken int              // changes that were
	shut  int              // changes that were refused because of the move
}

type state struct {
	value string
	code  string
}

const perDay = 1500

func startMoving(t *testing.T) *moving {
	m := &moving{
		cluster: on(t, pgtest.Own(t)), file: filepath.Join(t.TempDir(), "keyward.db"), stop: make(chan struct{}),
		state: map[string]state{},
	}
	m.old = m.newNode(0)
	m.old.name, m.old.env = "the server on the file", append(m.old.env, "KEYWARD_DATABASE_URL=sqlite:"+m.file)
	m.nodes = []*node{m.old}
	m.old.start()
	m.old.ready()
	m.ws = m.workspace("Acme")
	for range 20 {
		m.steady = append(m.steady, m.key(m.ws, 0, 0))
	}
	m.day = m.key(m.ws, 0, perDay)
	thousands := 6 // enough that the copy takes a while
	if long() {
		thousands = 200
	}
	for range thousands {
		keys := make([]keyward.ImportKey, 1000)
		for i := range keys {
			keys[i] = keyward.ImportKey{UserID: "ada", Name: "imported", Generate: true}
		}
		if _, err := m.old.client.ImportKeys(t.Context(),
			keyward.ImportKeysRequest{WorkspaceID: m.ws, APIKeys: keys}); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// work has clients verify, spend and change until end.
func (m *moving) work(seed uint64) {
	repeat := func(client uint64, f func(*rand.Rand)) {
		m.tasks.Go(func() {
			for r := rand.New(rand.NewPCG(seed, client)); ; {
				select {
				case <-m.stop:
					return
				default:
					f(r)
				}
			}
		})
	}
	repeat(1, func(r *rand.Rand) { m.verify(m.old, m.steady[r.IntN(len(m.steady))].value); pause(r, 2) })
	repeat(2, func(r *rand.Rand) { m.spend(m.old); pause(r, 8) })
	for client := range 2 {
		repeat(uint64(10+client), func(r *rand.Rand) { m.change(r); pause(r, 5) })
	}
}

func (m *moving) end() { close(m.stop); m.tasks.Wait() }

// verify: a good key is good, whatever state the database is in.
func (m *moving) verify(n *node, value string) {
	v, err := n.client.Verify(context.Background(), keyward.VerifyRequest{Key: value})
	if err != nil || !v.Valid {
		m.t.Errorf("%s said of a good key: %v %v", n.name, v.Code, err)
	}
	m.verified.Add(1)
}

func (m *moving) spend(n *node) {
	v, err := n.client.Verify(context.Background(), keyward.VerifyRequest{Key: m.day.value})
	if err == nil && v.Valid {
		m.admitted.Add(1)
	}
}

// change makes a key, and half of the time disables it again. Acknowledged changes are recorded.
func (m *moving) change(r *rand.Rand) {
	k, err := m.old.client.CreateKey(context.Background(), request(m.ws, 0, 0))
	m.acknowledged(err, k.APIKey.ID, state{k.Key.Reveal(), "VALID"})
	if err != nil || r.IntN(2) == 0 {
		return
	}
	out, err := m.old.client.UpdateKeys(
		context.Background(), []keyward.KeyUpdate{{ID: k.APIKey.ID, IsActive: keyward.Set(false)}},
	)
	if err == nil && len(out.Updated) != 1 {
		err = fmt.Errorf("%v", out.Errors)
	}
	m.acknowledged(err, k.APIKey.ID, state{k.Key.Reveal(), "DISABLED"})
}

func (m *moving) acknowledged(err error, id string, s state) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err == nil:
		m.state[id] = s
		m.taken++
	case strings.Contains(err.Error(), "moved"):
		m.shut++
	default:
		m.t.Errorf("a change was refused for another reason than the move: %v", err)
	}
}

func (m *moving) counts() (taken, shut int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken, m.shut
}

// migrate runs the command, and sends it a signal after a while where that is not 0.
func (m *moving) migrate(after time.Duration, signal os.Signal, args ...string) (string, error) {
	cmd := exec.Command(binary, append([]string{"migrate-store", "--from", "sqlite:" + m.file,
		"--to", "postgres://postgres@" + m.primary() + "/" + m.database + "?sslmode=disable"}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Signal(signal) })
		defer timer.Stop()
	}
	err := cmd.Wait()
	return out.String(), err
}

// changesGoOn waits until changes are taken again.
func (m *moving) changesGoOn() {
	m.t.Helper()
	before, _ := m.counts()
	rig.WaitFor(m.t, "changes to be taken", func() error {
		if now, _ := m.counts(); now <= before+5 {
			return fmt.Errorf("%d", now)
		}
		return nil
	})
}

func TestAnInstallationIsMovedToPostgresWhileItWorks(t *testing.T) {
	seed := seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	m := startMoving(t)
	m.work(seed)
	m.changesGoOn()
	for range 4 {
		kill := time.Duration(
			100+r.IntN(int(either(60*time.Second, 1500*time.Millisecond)/time.Millisecond)),
		) * time.Millisecond
		signal := []os.Signal{os.Kill, os.Interrupt}[r.IntN(2)]
		out, err := m.migrate(kill, signal)
		if err == nil { // it was faster: the move is over
			t.Logf("complete before the signal %v after %v", signal, kill)
			m.moved(out)
			return
		}
		t.Logf("%v after %v: %q", signal, kill, out)
		if signal == os.Kill && r.IntN(2) == 0 {
			if out, err := m.migrate(0, nil, "--abort"); err != nil {
				t.Fatalf("--abort: %v: %s", err, out)
			}
			m.changesGoOn()
		}
		if signal == os.Interrupt { // it opens the file by itself
			m.changesGoOn()
		}
	}
	out, err := m.migrate(0, nil)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m.moved(out)
}

// moved looks at everything once the move is complete.
func (m *moving) moved(out string) {
	t := m.t
	if !strings.Contains(out, "api_keys") || !strings.Contains(out, "rows are the same in both") {
		t.Errorf("the command says: %s", out)
	}
	t.Log(out)
	if _, err := m.migrate(0, nil); err == nil {
		t.Error("what was moved was moved again")
	}
	if out, err := m.migrate(0, nil, "--abort"); err == nil || !strings.Contains(out, "complete") {
		t.Errorf("--abort after the end: %v: %s", err, out)
	}
	_, before := m.counts()
	rig.WaitFor(t, "changes to be refused", func() error {
		if _, shut := m.counts(); shut <= before+5 {
			return fmt.Errorf("%d", shut)
		}
		return nil
	})
	first := m.newNode(1)
	first.start()
	first.ready()
	for range 2 * perDay { // while the old server goes on spending
		m.spend(first)
	}
	m.end()
	for range 100 { // each waits for a moment whether the file takes changes again
		m.spend(m.old)
	}
	if n := m.admitted.Load(); n > perDay {
		t.Errorf("%d were admitted of %d a day, through the old server and the new", n, perDay)
	}
	for id, s := range m.state {
		v, err := first.client.Verify(t.Context(), keyward.VerifyRequest{Key: s.value})
		if err != nil || string(v.Code) != s.code {
			t.Errorf("the key %s, which was left %s, is %v %v at the new node", id, s.code, v.Code, err)
		}
	}
	m.verify(m.old, m.steady[0].value)
	if _, err := first.client.CreateKey(t.Context(), request(m.ws, 0, 0)); err != nil {
		t.Errorf("the new node: %v", err)
	}
	taken, shut := m.counts()
	t.Logf(
		"%d verifications, %d changes taken and %d refused, %d of %d a day admitted", m.verified.Load(), taken, shut,
		m.admitted.Load(), perDay,
	)
	m.old.kill()
	m.old.start()
	rig.WaitFor(t, "the old server to refuse to start", func() error {
		select {
		case <-m.old.process.Done():
			return nil
		default:
			return fmt.Errorf("it runs")
		}
	})
	if log := m.old.process.Log(); !strings.Contains(log, "was moved to postgres://"+m.primary()) {
		t.Errorf("it says: %s", log)
	}
}
