package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"github.com/rogpeppe/go-internal/testscript"
)

// withPostgres runs the tests beside a PostgreSQL server for those that want one.
type withPostgres struct{ *testing.M }

func (w withPostgres) Run() int { return pgtest.Main(w.M) }

func TestMain(m *testing.M) {
	testscript.Main(withPostgres{m}, map[string]func(){"keyward": main})
}

// TestScripts runs the command as people do. Beside testscript's own words there are:
//
//	server [flags]      start a server on a free port; KEYWARD_URL is set, and KEYWARD_TOKEN where a root key was minted
//	stop                stop it with SIGTERM and make sure that it ends well; its log is then in server.log
//	capture NAME [RE]   keep the last output, or what the expression finds first in it, in a variable
//	ends N command      run a command that ends with the status N
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server": startServer, "stop": stopServer, "capture": capture, "ends": ends,
		},
	})
}

func startServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: server [flags]")
	}
	binary, err := exec.LookPath("keyward")
	ts.Check(err)
	cmd := exec.Command(binary, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = os.Environ()
	for _, name := range []string{"KEYWARD_ROOT_KEY", "KEYWARD_PEPPER", "KEYWARD_PEPPER_PREVIOUS",
		"KEYWARD_IMPORT_SECRETS", "KEYWARD_DATABASE_URL"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	log, err := os.Create(ts.MkAbs("server.log"))
	ts.Check(err)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		_ = log.Close()
	})
	readNotice(ts, bufio.NewScanner(out))
	go func() { ended <- cmd.Wait() }()
	servers.Store(ts, process{cmd, ended})
	ts.Defer(func() { servers.Delete(ts) })
}

// servers holds each script's server.
var servers sync.Map

// process is a running server and where it says that it has ended.
type process struct {
	cmd   *exec.Cmd
	ended chan error
}

// readNotice reads what a server says when it starts; its last line is the second half of a curl command.
func readNotice(ts *testscript.TestScript, s *bufio.Scanner) {
	for s.Scan() {
		text := strings.TrimSpace(s.Text())
		if url, ok := strings.CutPrefix(text, "Keyward is at "); ok {
			ts.Setenv("KEYWARD_URL", url)
		}
		if strings.Contains(text, "/signin/link?code=") {
			ts.Setenv("ROOT_LINK", text)
		}
		if strings.HasPrefix(text, "kw_svc_") {
			ts.Setenv("KEYWARD_TOKEN", text)
		}
		if strings.HasPrefix(text, "-d '{") {
			return
		}
	}
	log, _ := os.ReadFile(ts.MkAbs("server.log"))
	ts.Fatalf("the server did not start: %s", log)
}

func stopServer(ts *testscript.TestScript, neg bool, args []string) {
	v, ok := servers.LoadAndDelete(ts)
	if !ok || neg || len(args) > 0 {
		ts.Fatalf("usage: stop, after server")
	}
	p := v.(process)
	ts.Check(p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-p.ended:
		ts.Check(err)
	case <-time.After(20 * time.Second):
		ts.Fatalf("the server does not stop")
	}
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: capture NAME [EXPRESSION]")
	}
	text := strings.TrimSpace(ts.ReadFile("stdout"))
	if len(args) == 2 {
		found := regexp.MustCompile(args[1]).FindStringSubmatch(text)
		if found == nil {
			ts.Fatalf("nothing like %s in %s", args[1], text)
		}
		text = found[len(found)-1]
	}
	ts.Setenv(args[0], text)
}

func ends(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: ends STATUS COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("the status is %d, not %d", got, want)
	}
}
