package acceptance_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/rig"
)

// This pipe is not read. A pipe of Linux holds 64 KiB.
func TestAServerWhoseOutputNothingReadsAnswersEveryVerification(t *testing.T) {
	t.Parallel()
	p, _ := startUnread(t)
	const n = 10_000
	client := &http.Client{Timeout: patience}
	for i := range n {
		if err := p.askAgain(client, i); err != nil {
			t.Fatalf("after %d verifications: %v", i, err)
		}
	}
	answer, err := client.Get(p.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	lost := ""
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "keyward_log_lines_lost_total "); ok {
			lost = strings.TrimSpace(rest)
		}
	}
	if lost == "" || lost == "0" {
		t.Errorf("keyward_log_lines_lost_total is %q", lost)
	}
}

// startUnread runs a server on an address that is known without its output.
func startUnread(t *testing.T) (p *process, unread *os.File) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	unread, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p = &process{root: mintedRoot(t), dir: dir, database: "sqlite:" + dir + "/keyward.db", url: "http://" + addr,
		output: &rig.Output{}, ended: make(chan struct{})}
	p.command = exec.Command(binary, "serve")
	p.command.Env = p.environment("KEYWARD_ROOT_KEY="+p.root, "KEYWARD_ADDR="+addr, "KEYWARD_LOG_FORMAT=json")
	p.command.Stdout, p.command.Stderr = write, write
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	go func() { p.err = p.command.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		p.stop(t)
		unread.Close()
	})
	p.ready(t)
	return p, unread
}

// askAgain verifies a text that is no key in every second request, and asks with a body that is wrong in the others.
func (p *process) askAgain(client *http.Client, i int) error {
	body, want := `{"key":"x"}`, http.StatusOK
	if i%2 == 0 {
		body, want = `{"key":"x","unknown":1}`, http.StatusBadRequest
	}
	r, err := http.NewRequest(http.MethodPost, p.url+"/api/v2/api-keys/verify", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+p.root)
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err = io.Copy(io.Discard, answer.Body); err == nil && answer.StatusCode != want {
		err = fmt.Errorf("answered %s to %s", answer.Status, body)
	}
	return err
}

// A pipeline such as `keyward serve 2>&1 | collector` loses its reader when the collector restarts.
func TestAServerOutlivesTheReaderOfItsOutput(t *testing.T) {
	t.Parallel()
	p, unread := startUnread(t)
	if err := unread.Close(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: patience}
	for i := range 200 {
		if err := p.askAgain(client, i); err != nil {
			t.Fatalf("after %d verifications: %v", i, err)
		}
	}
	time.Sleep(100 * time.Millisecond) // the log is written behind the answers
	if err := p.askAgain(client, 0); err != nil {
		t.Fatal(err)
	}
}
