package rig

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Sentinel is a primary with a replica, and a sentinel that says which of them is which.
type Sentinel struct {
	Addr, Name       string
	Primary, Replica *Redis

	self *Redis // to ask with redis-cli
}

// StartRedisSentinel starts all three; the clocks of the two that hold data run speed times as fast.
func StartRedisSentinel(t testing.TB, speed int) *Sentinel {
	t.Helper()
	clock := FastClock(t, speed)
	primary := newRedis(t, FreePort(t), nil)
	primary.clock = clock
	primary.Start()
	replica := newRedis(
		t, FreePort(t), []string{"--replicaof", "127.0.0.1 " + strconv.Itoa(primary.Port), "--repl-diskless-sync-delay", "0"},
	)
	replica.clock = clock
	replica.Start()
	WaitFor(t, "the replica to follow", func() error {
		if state := replica.CLI("info", "replication"); !strings.Contains(state, "master_link_status:up") {
			return fmt.Errorf("%s", state)
		}
		return nil
	})
	s := &Sentinel{Name: "limits", Primary: primary, Replica: replica, self: newRedis(t, FreePort(t), nil)}
	s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.self.Port))
	file := filepath.Join(s.self.dir, "sentinel.conf")
	text := fmt.Sprintf(
		"port %d\nbind 127.0.0.1\nsentinel monitor %s 127.0.0.1 %d 1\nsentinel down-after-milliseconds %s 60000\n",
		s.self.Port, s.Name, primary.Port, s.Name,
	)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	StartProcess(t, exec.Command("redis-sentinel", file), filepath.Join(s.self.dir, "sentinel.log"))
	WaitFor(t, "the sentinel", s.self.ping)
	WaitFor(t, "the sentinel to see the replica", func() error {
		if state := s.self.CLI("sentinel", "replicas", s.Name); !strings.Contains(state, strconv.Itoa(replica.Port)) {
			return fmt.Errorf("%s", state)
		}
		return nil
	})
	return s
}

// Failover puts the replica in the primary's place, and waits until it is there.
func (s *Sentinel) Failover() {
	s.self.t.Helper()
	s.self.CLI("sentinel", "failover", s.Name)
	WaitFor(s.self.t, "the failover", func() error {
		state, err := s.Replica.ask("info", "replication") // it closes connections as it changes its role
		if err == nil && !strings.Contains(state, "role:master") {
			err = fmt.Errorf("%s", state)
		}
		return err
	})
}
