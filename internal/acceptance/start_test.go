package acceptance_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// begin starts serve on a free port with settings, in front of nothing that is there yet. at is its address.
func begin(t *testing.T, settings ...string) (p *process, at string, done chan error) {
	t.Helper()
	at = fmt.Sprintf("127.0.0.1:%d", rig.FreePort(t))
	p = &process{dir: t.TempDir(), output: &rig.Output{}}
	p.command = exec.Command(binary, "serve")
	p.command.Env = append(p.environment(settings...), "KEYWARD_ADDR="+at, "KEYWARD_LOG_FORMAT=json")
	p.command.Stdout = p.output
	p.command.Stderr = p.output
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	done = make(chan error, 1)
	go func() { done <- p.command.Wait() }()
	t.Cleanup(func() { _ = p.command.Process.Kill() })
	return p, at, done
}

func status(at, path string) (int, string, error) {
	res, err := http.Get("http://" + at + path)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, string(body), err
}

func answers(t *testing.T, at, path string, want int, word string) {
	t.Helper()
	rig.WaitFor(t, fmt.Sprint(path, " to answer ", want), func() error {
		code, body, err := status(at, path)
		if err != nil || code != want || !strings.Contains(body, word) {
			return fmt.Errorf("%d %s %v", code, body, err)
		}
		return nil
	})
}

// After a power cut the database may come up last: the server says that it lives and is not ready, and goes on by
// itself.
func TestAStartWaitsForADatabaseThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	database := u.Host
	link := rig.NewLink(t, database)
	u.Host = link.Addr
	link.Lead("127.0.0.1:1") // nobody listens there
	p, at, done := begin(t, "KEYWARD_DATABASE_URL="+u.String())
	answers(t, at, "/healthz", 200, `"status":"ok"`)
	answers(t, at, "/readyz", 503, "waits for the database")
	for _, path := range []string{"/api/v2/permissions", "/", "/metrics"} {
		answers(t, at, path, 503, `"code":"unavailable"`)
	}
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v\n%s", err, p.output)
	default:
	}
	if log := p.output.String(); !strings.Contains(log, "waiting for it") {
		t.Errorf("the log says %s", log)
	}
	link.Lead(database)
	answers(t, at, "/readyz", 200, `"status":"ready"`)
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, p.output)
	}
}

// Told to stop while it waits, it stops in order.
func TestAStartThatWaitsCanBeStopped(t *testing.T) {
	t.Parallel()
	p, at, done := begin(t, "KEYWARD_DATABASE_URL=postgres://nobody@127.0.0.1:1/none")
	answers(t, at, "/readyz", 503, "waits for the database")
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, p.output)
	}
}

// A fault that waiting cannot mend ends the start at once, with a status that keeps a service manager from trying
// again.
func TestAStartThatCannotSucceedEndsWithTheStatusOfAWrongConfiguration(t *testing.T) {
	t.Parallel()
	good, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	other := func(change func(*url.URL)) string {
		u := *good
		change(&u)
		return "KEYWARD_DATABASE_URL=" + u.String()
	}
	for name, setting := range map[string]string{
		"no such user":      other(func(u *url.URL) { u.User = url.UserPassword("nobody", "wrong") }),
		"no such database":  other(func(u *url.URL) { u.Path = "/there-is-none" }),
		"a wrong setting":   "KEYWARD_MAX_STALENESS=soon",
		"a missing table":   "KEYWARD_ROUTES=/there/is/none.yaml",
		"a wrong catalogue": "KEYWARD_CATALOGUE=/there/is/none.yaml",
	} {
		t.Run(name, func(t *testing.T) {
			settings := []string{setting}
			if !strings.HasPrefix(setting, "KEYWARD_DATABASE_URL") {
				settings = append(settings, "KEYWARD_DATABASE_URL=sqlite:"+filepath.Join(t.TempDir(), "keyward.db"))
			}
			p, _, done := begin(t, settings...)
			select {
			case err := <-done:
				var ended *exec.ExitError
				if !errors.As(err, &ended) || ended.ExitCode() != 78 {
					t.Errorf("it ended with %v, want status 78\n%s", err, p.output)
				}
			case <-time.After(30 * time.Second):
				t.Errorf("it goes on\n%s", p.output)
			}
			setting, _, _ := strings.Cut(setting, "=")
			if !strings.Contains(p.output.String(), "keyward: "+setting) {
				t.Errorf("it does not name %s:\n%s", setting, p.output)
			}
		})
	}
}

// The protocol of systemd, spoken to a real socket: ready, reloading and ready again, alive in between, stopping.
func TestTheServiceManagerIsToldWhatHappens(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	states := make(chan string, 100)
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := l.Read(b)
			if err != nil {
				return
			}
			for s := bufio.NewScanner(strings.NewReader(string(b[:n]))); s.Scan(); {
				states <- s.Text()
			}
		}
	}()
	expect := func(want string) {
		t.Helper()
		for timeout := time.After(30 * time.Second); ; {
			select {
			case state := <-states:
				if state == want {
					return
				}
				if state != "WATCHDOG=1" {
					t.Fatalf("told %q, want %q", state, want)
				}
			case <-timeout:
				t.Fatalf("never told %q", want)
			}
		}
	}
	p, at, done := begin(
		t, "KEYWARD_DATABASE_URL=sqlite:"+filepath.Join(t.TempDir(), "keyward.db"), "NOTIFY_SOCKET="+socket,
		"WATCHDOG_USEC=300000",
	)
	expect("READY=1")
	if code, body, err := status(at, "/readyz"); code != 200 || err != nil {
		t.Errorf("told to be ready, and answers %d %s %v", code, body, err)
	}
	expect("WATCHDOG=1")
	for _, step := range []struct {
		signal syscall.Signal
		states []string
	}{{syscall.SIGHUP, []string{"RELOADING=1", "READY=1"}}, {syscall.SIGTERM, []string{"STOPPING=1"}}} {
		if err := p.command.Process.Signal(step.signal); err != nil {
			t.Fatal(err)
		}
		for _, state := range step.states {
			expect(state)
		}
	}
	if err := <-done; err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, p.output)
	}
}
