package deploy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// settings are what an image says of how it is run.
type settings struct {
	Cmd, Entrypoint, Env []string
	User, WorkingDir     string
	Volumes              map[string]struct{}
	Healthcheck          struct{ Test []string }
}

// container runs an unpacked image as an engine would: the image's files read-only, its volumes writable, its user
// without rights, its own network, and nothing of this machine's environment.
type container struct {
	t      *testing.T
	dir    string
	config settings
	volume string // this machine's folder for the volume
}

func openImage(t *testing.T) *container {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "image.tar")
	for _, args := range [][]string{
		{"-context", "../..", "-dockerfile", "../../deploy/Dockerfile", "-build-arg", "VERSION=tested", "-tag",
			"keyward:tested", "-out", file},
		{"-in", file, "-unpack", dir},
	} {
		cmd := exec.Command("go", append([]string{"run", "-C", "../tools/image", "."}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	c := &container{t: t, dir: dir, volume: t.TempDir()}
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &c.config); err != nil {
		t.Fatal(err)
	}
	for _, of := range []string{"proc", "dev", "tmp"} { // an engine makes these in every container
		if err := os.MkdirAll(filepath.Join(dir, "rootfs", of), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// running is a command in a container.
type running struct {
	cmd  *exec.Cmd
	pid  int // of its first process, as this machine numbers it
	said chan string
}

// start begins a command in a network of its own, or in that of another one.
func (c *container) start(network *running, args ...string) *running {
	c.t.Helper()
	uid, gid, _ := strings.Cut(c.config.User, ":")
	box := []string{
		"bwrap", "--die-with-parent", "--unshare-user", "--uid", uid, "--gid", gid, "--unshare-pid", "--as-pid-1",
		"--unshare-ipc", "--cap-drop", "ALL", "--ro-bind", filepath.Join(c.dir, "rootfs"), "/", "--proc", "/proc", "--dev",
		"/dev", "--clearenv", "--chdir", c.config.WorkingDir,
	}
	for volume := range c.config.Volumes {
		box = append(box, "--bind", c.volume, volume)
	}
	for _, pair := range c.config.Env {
		name, value, _ := strings.Cut(pair, "=")
		box = append(box, "--setenv", name, value)
	}
	if network == nil {
		box = append(box, "--unshare-net")
	} else {
		box = append([]string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", network.pid)}, box...)
	}
	info, told, err := os.Pipe()
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = info.Close() }()
	cmd := exec.Command(box[0], append(append(box[1:], "--info-fd", "3", "--"), args...)...)
	cmd.ExtraFiles = []*os.File{told}
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	_ = told.Close()
	var child struct {
		PID int `json:"child-pid"`
	}
	if err := json.NewDecoder(info).Decode(&child); err != nil {
		c.t.Fatalf("the sandbox says nothing of its process: %v", err)
	}
	r := &running{cmd: cmd, pid: child.PID, said: make(chan string, 1)}
	go func() {
		all, _ := io.ReadAll(out)
		r.said <- string(all)
	}()
	c.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return r
}

// wait gives what a command said, once it has ended.
func (r *running) wait() (string, error) {
	text := <-r.said
	return text, r.cmd.Wait()
}

// stop tells a command to end as an engine does.
func (r *running) stop(t *testing.T) string {
	t.Helper()
	if err := syscall.Kill(r.pid, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	text, err := r.wait()
	if err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, text)
	}
	return text
}

// serve starts the image's own command and waits until the image's own check finds it healthy.
func (c *container) serve() *running {
	c.t.Helper()
	server := c.start(nil, append(append([]string{}, c.config.Entrypoint...), c.config.Cmd...)...)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		text, err := c.start(server, c.config.Healthcheck.Test[1:]...).wait()
		if err == nil {
			return server
		}
		if time.Now().After(deadline) {
			_ = server.cmd.Process.Kill()
			c.t.Fatalf("never healthy: %v %s\nThe server said:\n%s", err, text, <-server.said)
		}
	}
}

func TestTheImageStartsAsItIs(t *testing.T) {
	t.Parallel()
	c := openImage(t)
	server := c.serve()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", server.pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CapEff:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the process does not have %q:\n%s", want, raw)
		}
	}
	if _, err := os.Stat(filepath.Join(c.volume, "keyward.db")); err != nil {
		t.Errorf("the database is not in the volume: %v", err)
	}
	if text := server.stop(t); strings.Count(text, "kw_svc_") != 1 {
		t.Errorf("the first start prints the root key once; it said:\n%s", text)
	}
	if text := c.serve().stop(t); strings.Contains(text, "kw_svc_") {
		t.Errorf("a later start prints a key:\n%s", text)
	}
	if text, err := c.start(nil, c.config.Healthcheck.Test[1:]...).wait(); err == nil {
		t.Errorf("healthy without a server: %s", text)
	}
}
