package oidc

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	maxAnswer = 1 << 20
	keysEvery = 10 * time.Second
)

// guard limits the traffic with the provider: it cuts off an endless answer, and asks for keys only now and then,
// however many tokens with unknown keys arrive.
type guard struct {
	base http.RoundTripper
	now  func() time.Time

	mu   sync.Mutex
	keys string // their address
	at   time.Time
	body []byte
	head http.Header
}

// watch says where the keys are. Those that are known are asked for anew.
func (g *guard) watch(keys string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keys, g.body = keys, nil
}

// RoundTrip sends a request to the provider, or gives its keys as they were a moment ago.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	isKeys := r.Method == http.MethodGet && r.URL.String() == g.keys
	if isKeys && g.body != nil && g.now().Sub(g.at) < keysEvery {
		defer g.mu.Unlock()
		return answer(r, http.StatusOK, g.head, g.body), nil
	}
	g.mu.Unlock()

	resp, err := g.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer of %s is longer than %d bytes", r.URL.Host, maxAnswer)
	}
	if isKeys && resp.StatusCode == http.StatusOK {
		if body, _, err = trustworthy(body); err != nil {
			return nil, fmt.Errorf("the keys of %s: %w", r.URL.Host, err)
		}
		g.mu.Lock()
		g.at, g.body, g.head = g.now(), body, resp.Header
		g.mu.Unlock()
	}
	return answer(r, resp.StatusCode, resp.Header, body), nil
}

func answer(r *http.Request, status int, head http.Header, body []byte) *http.Response {
	return &http.Response{Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: head, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r}
}
