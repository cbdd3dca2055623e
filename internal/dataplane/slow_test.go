package dataplane_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/config"
)

// client keeps one connection and asks on it again and again, from an address of its own.
type client struct {
	net.Conn
	r     *bufio.Reader
	asked int // answers on this connection
}

func dial(addr, from string) (*client, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{Conn: c, r: bufio.NewReader(c)}, c.SetDeadline(time.Now().Add(2 * patience))
}

// ask sends a request and reads the whole answer.
func (c *client) ask(request string) (*http.Response, string, error) {
	if _, err := io.WriteString(c, request); err != nil {
		return nil, "", err
	}
	answer, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(answer.Body)
	c.asked++
	return answer, string(body), err
}

// slowhttptest runs the attack for a few seconds from 127.0.0.1 with many connections.
func slowhttptest(t *testing.T, mode ...string) {
	t.Helper()
	args := append([]string{"-c", "4000", "-r", "2000", "-l", "4", "-i", "1", "-p", "3"}, mode...)
	if out, err := exec.Command("slowhttptest", args...).CombinedOutput(); err != nil {
		t.Errorf("slowhttptest: %v: %s", err, out)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}

// attacked runs an attack, while a client from elsewhere is answered all the time.
func (h *house) attacked(t *testing.T, addr string, attack []string) {
	t.Helper()
	over := make(chan struct{})
	go func() { defer close(over); slowhttptest(t, attack...) }()
	c, err := dial(addr, "127.0.0.2")
	must(t, err)
	defer c.Close()
	for answered := 0; ; answered++ {
		select {
		case <-over:
			t.Logf("%v: another client was answered %d times", attack, answered)
			return
		case <-time.After(20 * time.Millisecond):
		}
		answer, body, err := c.ask(h.verify(one, `{"key":"`+h.value+`"}`))
		if err != nil || answer.StatusCode != 200 || !strings.Contains(body, "VALID") {
			t.Fatalf("%v: %v %v", attack, answer, err)
		}
	}
}

// Attackers hold as many connections as one address may have, on either listener; a client from elsewhere is answered
// all the while, and afterwards everything is given back.
func TestT56SlowClientsTakeNothingFromOthers(t *testing.T) {
	h := open(t, func(c *config.Config) { c.MaxConnections, c.MaxConnectionsPerAddress = 500, 300 })
	before := descriptors(t)
	t.Run("on both listeners", func(t *testing.T) {
		for name, addr := range map[string]string{"data": h.data, "main": h.main} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for _, mode := range [][]string{{"-H"}, {"-B", "-s", "4096"},
					{"-X", "-w", "1", "-y", "8", "-n", "1", "-z", "8", "-k", "2"}} {
					h.attacked(t, addr, append(mode, "-u", "http://"+addr+one))
				}
			})
		}
	})
	for end := time.Now().Add(patience); descriptors(t) > before+5; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d descriptors are open, %d were before", descriptors(t), before)
		}
	}
}

func TestT56ConnectionsOverTheBoundsAreClosedAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *config.Config) { c.MaxConnections, c.MaxConnectionsPerAddress = 6, 4 })
	for name, addr := range map[string]string{"data": h.data, "main": h.main} {
		served := func(from string) (*client, bool) {
			c, err := dial(addr, from)
			must(t, err)
			t.Cleanup(func() { _ = c.Close() })
			answer, _, err := c.ask(h.verify(one, `{"key":"x"}`))
			return c, err == nil && answer.StatusCode == 200
		}
		var kept []*client
		// fill asks from an address until the bound is reached, because a connection that was just closed may still
		// count, and then some more, of which none may be served.
		fill := func(from string, bound int) {
			for end := time.Now().Add(patience); bound > 0; {
				if c, ok := served(from); ok {
					kept = append(kept, c)
					bound--
				} else if time.Now().After(end) {
					t.Fatalf("%s: %d more connections from %s should be served", name, bound, from)
				}
			}
			for range 4 {
				if _, ok := served(from); ok {
					t.Errorf("%s: a connection from %s was served over the bound", name, from)
				}
			}
		}
		fill("127.0.0.1", 4)
		fill("127.0.0.2", 2)
		fill("127.0.0.3", 0)
		for _, c := range kept {
			must(t, c.Close())
		}
		for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			if _, ok := served("127.0.0.3"); ok {
				break
			}
			if time.Now().After(end) {
				t.Fatal("what was closed is not given back")
			}
		}
	}
}

// A client that sends a byte now and then is answered as net/http answers it, and holds nothing once its time is over.
func TestARequestThatComesInDropsIsAnsweredAllTheSame(t *testing.T) {
	t.Parallel()
	h := open(t)
	request := h.verify(one, `{"key":"x"}`)
	var parts []string
	for i := 0; i < len(request); i += 16 {
		parts = append(parts, request[i:min(i+16, len(request))])
	}
	parts[len(parts)-1] += last
	if got := raw(t, h.data, parts...); !strings.Contains(got, `"code":"MALFORMED"`) {
		t.Errorf("%q", got)
	}
}

// Half a head is waited for as long as ReadHeaderTimeout says, and then the connection is closed, on both listeners.
func TestT56HalfAHeadIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	h := open(t)
	for name, addr := range map[string]string{"data": h.data, "main": h.main} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := dial(addr, "127.0.0.1")
			must(t, err)
			defer c.Close()
			_, err = io.WriteString(c, h.verify(one, "{}")[:50])
			must(t, err)
			if _, err := io.ReadAll(c); err != nil {
				t.Errorf("%v, want the end", err)
			}
		})
	}
}
