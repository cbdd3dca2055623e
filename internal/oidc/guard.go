package oidc

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

const maxAnswer = 1 << 20

// guard cuts off an endless answer of the provider.
type guard struct{ base http.RoundTripper }

// RoundTrip sends a request to the provider and reads the answer.
func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
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
	return answer(r, resp.StatusCode, resp.Header, body), nil
}

func answer(r *http.Request, status int, head http.Header, body []byte) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: head,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}
