package mcp

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// inwardHost stands in URLs of calls that stay in the process.
const inwardHost = "keyward.internal"

// inward sends the calls of a tool to the API in the same process, as calls of the client that asked for the tool: its
// address, and what a proxy says of it, are those of the outer request.
type inward struct {
	api       http.Handler
	outer     *http.Request
	requestID string
}

// RoundTrip answers a call.
func (t *inward) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.Proto, in.ProtoMajor, in.ProtoMinor = r.URL.RequestURI(), "HTTP/1.1", 1, 1
	in.URL.Scheme, in.URL.Host = "", ""
	in.Host, in.RemoteAddr, in.TLS = t.outer.Host, t.outer.RemoteAddr, t.outer.TLS
	if in.Body == nil {
		in.Body = http.NoBody
	}
	for name, values := range t.outer.Header {
		if name == "Forwarded" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			in.Header[name] = values
		}
	}
	if t.requestID != "" {
		in.Header.Set("X-Request-Id", t.requestID)
	}
	w := &kept{header: http.Header{}, status: http.StatusOK}
	t.api.ServeHTTP(w, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// kept is an answer that stays in memory.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
	sent   bool
}

func (k *kept) Header() http.Header { return k.header }

func (k *kept) WriteHeader(status int) {
	if !k.sent {
		k.status, k.sent = status, true
	}
}

func (k *kept) Write(b []byte) (int, error) {
	k.sent = true
	return k.body.Write(b)
}
