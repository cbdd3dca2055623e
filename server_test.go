package keyward_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward"
)

// A token and keys of the right form, with 49 base62 digits after their heads.
const (
	token   = "kw_svc_0000000000000000000000000000000000000000000abcdef"
	fullKey = "kw_live_AbCd0123456789012345678901234567890123456789mwxyz"
)

// seen is what a request was.
type seen struct {
	Method, URI, Body string
	Header            http.Header
}

// answering starts a server that gives every request one answer, and a client of it. The returned function tells the
// last request.
func answering(t *testing.T, status int, body string, opts ...keyward.Option) (*keyward.Client, func() seen) {
	t.Helper()
	requests := make(chan seen, 64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		requests <- seen{r.Method, r.RequestURI, string(data), r.Header.Clone()}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Request-Id", "req-1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	client := newClient(t, server.URL, opts...)
	return client, func() seen {
		select {
		case s := <-requests:
			return s
		default:
			t.Fatal("no request came")
			return seen{}
		}
	}
}

func newClient(t *testing.T, url string, opts ...keyward.Option) *keyward.Client {
	t.Helper()
	client, err := keyward.New(url, append([]keyward.Option{keyward.WithToken(token)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// result puts an answer into its envelope.
func result(body string) string {
	return `{"success":true,"data":{"message":"Done.","result":` + body + `}}`
}

// operation is one method of the client: what it sends, and what it makes of the answer.
type operation struct {
	name   string
	call   func(context.Context, *keyward.Client) (any, error)
	method string
	uri    string
	body   string // JSON, "" for none
	status int    // 0 for 200
	answer string // the result in its envelope
	want   any
}

func (o operation) run(t *testing.T) {
	t.Parallel()
	status := o.status
	if status == 0 {
		status = http.StatusOK
	}
	client, last := answering(t, status, result(o.answer))
	got, err := o.call(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(o.want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	request := last()
	if request.Method != o.method || request.URI != o.uri {
		t.Errorf("request was %s %s, want %s %s", request.Method, request.URI, o.method, o.uri)
	}
	if got := request.Header.Get("Authorization"); got != "Bearer "+token {
		t.Errorf("Authorization was %q", got)
	}
	sameJSON(t, o.body, request.Body)
	if hasType := request.Header.Get("Content-Type") == "application/json"; hasType != (o.body != "") {
		t.Errorf("Content-Type was %q with a body %q", request.Header.Get("Content-Type"), request.Body)
	}
}

func sameJSON(t *testing.T, want, got string) {
	t.Helper()
	if want == "" || got == "" {
		if want != got {
			t.Errorf("body was %q, want %q", got, want)
		}
		return
	}
	var a, b any
	if err := json.Unmarshal([]byte(want), &a); err != nil {
		t.Fatalf("the test's own body: %v", err)
	}
	if err := json.Unmarshal([]byte(got), &b); err != nil {
		t.Fatalf("the request's body %q: %v", got, err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}
