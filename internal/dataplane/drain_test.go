package dataplane_test

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/dataplane"
)

// Clients that keep their connections, and give one up when its answer says so, lose nothing when the server stops
// under load: each request on a connection that was in use is answered whole.
func TestStoppingUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	var answered atomic.Int64
	var clients sync.WaitGroup
	for i, addr := range []string{h.data, h.main, h.data, h.main, h.data, h.main, h.data, h.main} {
		request := h.verify(one, `{"key":"`+h.value+`"}`)
		if i%4 == 3 {
			request = h.verify(one, `{"key":"\u0041"}`) // on the data plane, one that is handed over
		}
		clients.Go(func() {
			for {
				c, err := dial(addr, "127.0.0.1")
				if err != nil {
					return // it has stopped
				}
				if !drive(t, c, request, &answered) {
					return
				}
			}
		})
	}
	for end := time.Now().Add(patience); answered.Load() < 500; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no load")
		}
	}
	must(t, h.stop())
	clients.Wait()
	if lines := int64(strings.Count(h.log.String(), `"operation":"verifyApiKey"`)); lines < answered.Load() {
		t.Errorf("%d answers and %d lines", answered.Load(), lines)
	}
}

// drive asks until the connection is given up as the answer says; false where the server took no more.
func drive(t *testing.T, c *client, request string, answered *atomic.Int64) bool {
	defer c.Close()
	for {
		answer, body, err := c.ask(request)
		if err != nil {
			if c.asked > 0 { // a connection that was never served may have come too late
				t.Errorf("a request was lost after %d answers: %v", c.asked, err)
			}
			return false
		}
		if answer.StatusCode != 200 || !strings.HasSuffix(body, "}}}") {
			t.Errorf("%d %s", answer.StatusCode, body)
		}
		answered.Add(1)
		if answer.Close {
			return true
		}
	}
}

func TestAnIdleConnectionDoesNotHoldUpTheStop(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, request := range []string{"", h.verify(one, `{"key":"x"}`), h.verify(one, `{"key":"x"}`)[:40]} {
		c, err := dial(h.data, "127.0.0.1")
		must(t, err)
		defer c.Close()
		if strings.HasSuffix(request, "}") {
			_, _, err = c.ask(request)
			must(t, err)
		} else {
			_, err = c.Write([]byte(request))
			must(t, err)
		}
	}
	must(t, h.stop())
	if strings.Contains(h.log.String(), "cut off") {
		t.Error("it had to be cut off")
	}
}

// A server that is stopped as soon as it is started does not begin to serve after it was told to end.
func TestAServerThatIsStoppedBeforeItBeginsEnds(t *testing.T) {
	t.Parallel()
	for range 20 {
		h := open(t)
		must(t, h.stop())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := dataplane.New(nil, &http.Server{}, time.Now, slog.Default())
	must(t, s.Shutdown(t.Context()))
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("%v", err)
	}
}
