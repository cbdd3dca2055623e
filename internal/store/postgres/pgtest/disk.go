package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// disk is a file system of a server's own. It is mounted in a namespace of its own processes, and goes with them.
type disk struct {
	holder *exec.Cmd // keeps the namespace
	filler string    // a path that leads into it
}

// OnSmallDisk is Own with the data on a disk of so many MiB, which Fill fills. It takes root.
func OnSmallDisk(t testing.TB, mib int, settings ...string) *Server {
	t.Helper()
	s, err := place()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Remove)
	if err := s.mount(t, mib); err != nil {
		t.Fatalf("a disk for PostgreSQL: %v", err)
	}
	if err := s.init(
		append([]string{"autovacuum=off", "min_wal_size=32MB", "max_wal_size=48MB"}, settings...),
	); err != nil {
		t.Fatalf("a PostgreSQL for this test: %v", err)
	}
	return s
}

func (s *Server) mount(t testing.TB, mib int) error {
	if s.account == nil {
		return errors.New("only root can mount one")
	}
	owner := fmt.Sprintf("uid=%d,gid=%d", s.account.Uid, s.account.Gid)
	script := fmt.Sprintf(
		"mount -t tmpfs -o size=%dm,mode=0700,%s tmpfs %s && echo mounted && exec sleep infinity", mib, owner, s.Dir,
	)
	holder := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script)
	holder.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := holder.StdoutPipe()
	if err != nil {
		return err
	}
	if err := holder.Start(); err != nil {
		return err
	}
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "mounted\n" {
		return errors.New("it could not be mounted")
	}
	pid := strconv.Itoa(holder.Process.Pid)
	s.disk = &disk{holder: holder, filler: filepath.Join("/proc", pid, "root", s.Dir, "filler")}
	s.inside = []string{
		"nsenter", "--target", pid, "--mount", "--", "setpriv", "--reuid", strconv.Itoa(int(s.account.Uid)), "--regid",
		strconv.Itoa(int(s.account.Gid)), "--clear-groups", "--",
	}
	return nil
}

// Fill leaves no byte on the server's disk.
func (s *Server) Fill(t testing.TB) {
	t.Helper()
	f, err := os.OpenFile(s.disk.filler, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err = f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// Free gives the room back that Fill took.
func (s *Server) Free(t testing.TB) {
	t.Helper()
	if err := os.Remove(s.disk.filler); err != nil {
		t.Fatal(err)
	}
}

// Runs tells whether the server has not fallen.
func (s *Server) Runs() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}
