package conversation

import (
	"net/http"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/dpop/dpoptest"
)

// Talk is one conversation that goes on.
type Talk struct {
	Known     Values
	PublicURL string // of the server, as the proofs of its pages name it
	Now       func() time.Time

	page dpoptest.Key // of the page that <proof> speaks of
}

// Message is a request as it is sent.
type Message struct {
	Method, Target string
	Header         http.Header
	Body           string
}

// Message fills in the values of a request.
func (t *Talk) Message(r Request) (Message, error) {
	t.Known["in2s"] = t.Now().Add(2 * time.Second).UTC().Format(time.RFC3339Nano)
	m := Message{Method: r.Method, Header: http.Header{}}
	var err error
	if m.Target, err = t.Known.Fill(r.Target); err != nil {
		return m, err
	}
	if m.Body, err = t.Known.Fill(r.Body); err != nil {
		return m, err
	}
	if r.Repeat > 0 {
		m.Body = strings.Repeat(m.Body, r.Repeat)
	}
	for _, h := range r.Headers {
		value, err := t.Known.Fill(h.Value)
		if err != nil {
			return m, err
		}
		m.Header.Add(h.Name, value)
	}
	if m.Header.Get("DPoP") == "<proof>" {
		m.Header.Set("DPoP", t.proof(m))
	}
	if m.Body != "" && m.Header.Get("Content-Type") == "" {
		m.Header.Set("Content-Type", "application/json")
	}
	if m.Header.Get("Content-Type") == "<none>" {
		m.Header.Del("Content-Type")
	}
	return m, nil
}

// proof proves for one request that the page has its key.
func (t *Talk) proof(m Message) string {
	if t.page.PrivateKey == nil {
		t.page = dpoptest.NewKey()
	}
	_, token, _ := strings.Cut(m.Header.Get("Authorization"), " ")
	path, _, _ := strings.Cut(m.Target, "?")
	return t.page.Proof(m.Method, t.PublicURL+path, token, t.Now())
}
