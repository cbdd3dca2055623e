// Package pgtest owns a real PostgreSQL for tests: a private server of Debian's package, on a free port and a directory
// of its own, shared by all tests of a program, with a database for each test. Where PostgreSQL is not installed a test
// fails.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a running PostgreSQL.
type Server struct {
	Dir  string // holds the data and the socket
	Port int

	bin     string
	account *syscall.Credential // nil: our own
	inside  []string            // a command that brings others to the server's disk; nil where that is ours
	disk    *disk
	options []string
	process *exec.Cmd

	once     sync.Once // for the database that others are copied from
	prepared error
	output   *os.File
	ended    chan struct{}
}

// patience is how long a server may take to start or to stop.
const patience = 60 * time.Second

var (
	shared     *Server
	sharedErr  error
	sharedOnce sync.Once
	count      atomic.Int64
)

// Main runs a program's tests and stops the shared server afterwards. Call it from TestMain.
func Main(m *testing.M) int {
	code := m.Run()
	if shared != nil {
		shared.Remove()
	}
	return code
}

// Shared is the server that all tests of the program use. It does not wait for the disk. The program's TestMain must
// call Main.
func Shared(t testing.TB) *Server {
	t.Helper()
	sharedOnce.Do(func() {
		shared, sharedErr = Start("fsync=off", "full_page_writes=off", "synchronous_commit=on", "autovacuum=off")
	})
	if sharedErr != nil {
		t.Fatalf("a PostgreSQL for tests: %v", sharedErr)
	}
	return shared
}

// Database makes an empty database on the shared server and answers its URL. It is dropped at the end of the test.
func Database(t testing.TB) string {
	t.Helper()
	return Shared(t).Database(t)
}

// Prepared is Database with the content that prepare has put into the first one: the others are copies of that.
func Prepared(t testing.TB, prepare func(url string) error) string {
	t.Helper()
	s := Shared(t)
	s.once.Do(func() {
		s.Run(t, "postgres", "CREATE DATABASE prepared TEMPLATE template0")
		s.prepared = prepare(s.URL("prepared"))
	})
	if s.prepared != nil {
		t.Fatal(s.prepared)
	}
	return s.copy(t, "prepared")
}

// Own starts a server for one test alone, which may stop it, with settings of its own.
func Own(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := Start(append([]string{"fsync=off", "full_page_writes=off", "autovacuum=off"}, settings...)...)
	if err != nil {
		t.Fatalf("a PostgreSQL for this test: %v", err)
	}
	t.Cleanup(s.Remove)
	return s
}

// Start makes a cluster and starts it.
func Start(settings ...string) (*Server, error) {
	s, err := place()
	if err != nil {
		return nil, err
	}
	if err := s.init(settings); err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

// init makes the cluster of databases and starts the server.
func (s *Server) init(settings []string) error {
	out, err := s.command(
		"initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N",
	).
		CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	for _, setting := range append([]string{"max_connections=300", "shared_buffers=64MB", "wal_level=replica",
		"search_path=keyward,public"}, settings...) {
		s.options = append(s.options, "-c", setting)
	}
	return s.Up()
}

// place finds the programs, and takes a directory and a port.
func place() (*Server, error) {
	s := &Server{}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	slices.Sort(found)
	if len(found) == 0 {
		return nil, errors.New("it is not installed: see scripts/test-packages.txt")
	}
	s.bin = filepath.Dir(found[len(found)-1])
	var err error
	if s.account, err = account(); err != nil {
		return nil, err
	}
	// Not in TMPDIR: the path of a socket is short.
	if s.Dir, err = os.MkdirTemp("/tmp", "kw-pg-"); err != nil {
		return nil, err
	}
	if s.account != nil {
		if err := os.Chown(s.Dir, int(s.account.Uid), int(s.account.Gid)); err != nil {
			return nil, err
		}
	}
	s.Port, err = FreePort()
	return s, err
}

// account is whose process PostgreSQL becomes: it refuses root.
func account() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}

// FreePort is a port that was free a moment ago.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

// Command is a program of the installation, run as the server's account. It ends when this process does.
func (s *Server) Command(name string, args ...string) *exec.Cmd { return s.command(name, args...) }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	path := name
	if !filepath.IsAbs(name) {
		path = filepath.Join(s.bin, name)
	}
	if s.inside != nil { // what changes the account itself
		c := exec.Command(s.inside[0], slices.Concat(s.inside[1:], []string{path}, args)...)
		c.Dir, c.SysProcAttr = "/", &syscall.SysProcAttr{}
		return c
	}
	c := exec.Command(path, args...)
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.account}
	return c
}

// Up starts the server and waits until it answers.
func (s *Server) Up() error {
	args := append(
		[]string{"-D", s.data(), "-p", strconv.Itoa(s.Port), "-k", s.Dir, "-c", "listen_addresses=127.0.0.1"},
		s.options...)
	s.process = s.command("postgres", args...)
	output, err := os.CreateTemp("", "kw-pg-log-")
	if err != nil {
		return err
	}
	_ = os.Remove(output.Name())
	s.output = output
	s.process.Stdout, s.process.Stderr = output, output
	// SIGQUIT ends PostgreSQL at once. It is sent when the thread that started it ends, so that thread is kept.
	s.process.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	started := make(chan error)
	s.ended = make(chan struct{})
	go func() {
		runtime.LockOSThread()
		err := s.process.Start()
		started <- err
		if err == nil {
			_ = s.process.Wait()
		}
		close(s.ended)
	}()
	if err := <-started; err != nil {
		return err
	}
	return s.answers()
}

func (s *Server) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-s.ended:
			return fmt.Errorf("it ended at once: %s", s.log())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w: %s", err, s.log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) log() []byte {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", s.output.Fd()))
	return bytes.TrimSpace(text)
}

// Down stops the server: with SIGINT it ends running work, with SIGQUIT it falls as in a crash.
func (s *Server) Down(how syscall.Signal) {
	_ = s.process.Process.Signal(how)
	<-s.ended
	_ = s.output.Close()
}

// Signal sends one to the server's first process alone.
func (s *Server) Signal(signal syscall.Signal) error { return s.process.Process.Signal(signal) }

// Remove stops the server and removes its files.
func (s *Server) Remove() {
	if s.process != nil && s.ended != nil {
		select {
		case <-s.ended:
		default:
			s.Down(syscall.SIGQUIT)
		}
	}
	_ = os.RemoveAll(s.Dir)
}

// URL names a database of the server.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.Port, database)
}

// Database makes an empty database and answers its URL. It is dropped at the end of the test.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	return s.copy(t, "template0")
}

func (s *Server) copy(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", count.Add(1))
	s.Run(t, "postgres", "CREATE DATABASE "+name+" TEMPLATE "+template)
	t.Cleanup(func() {
		select {
		case <-s.ended:
		default:
			s.Run(t, "postgres", "DROP DATABASE "+name+" WITH (FORCE)")
		}
	})
	return s.URL(name)
}

// Run executes SQL from outside, as an operator would.
func (s *Server) Run(t testing.TB, database, sql string) {
	t.Helper()
	Run(t, s.URL(database), sql)
}

// Run executes SQL in the database of a URL and returns the first column of the result, as text.
func Run(t testing.TB, url, sql string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	results, err := c.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", strings.TrimSpace(sql), err)
	}
	var out []string
	for _, r := range results {
		for _, row := range r.Rows {
			out = append(out, string(row[0]))
		}
	}
	return out
}
