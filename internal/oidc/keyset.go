package oidc

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"
)

// keySet is the provider's set of keys as it was fetched. A check against it sends no request.
type keySet struct {
	*oidc.RemoteKeySet
	from string // their address
}

// fetchKeys asks the provider where its keys are, if that is old, and for the keys.
func (p *Provider) fetchKeys(ctx context.Context) (keySet, error) {
	at, err := p.discovery.get(ctx)
	if err != nil {
		return keySet{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.value.jwks, http.NoBody)
	if err != nil {
		return keySet{}, fmt.Errorf("ask for the keys: %w", err)
	}
	r.Header.Set("Cache-Control", "no-cache")
	resp, err := p.client.Do(r)
	if err != nil {
		return keySet{}, fmt.Errorf("ask for the keys: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return keySet{}, fmt.Errorf("ask for the keys: status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return keySet{}, fmt.Errorf("ask for the keys: %w", err)
	}
	good, _, err := trustworthy(body)
	if err != nil {
		return keySet{}, fmt.Errorf("the keys of %s: %w", r.URL.Host, err)
	}
	given := &http.Client{Transport: fixed(good)}
	return keySet{oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), given), at.value.jwks), at.value.jwks}, nil
}

// fixed is a transport that answers every request with the same body, at once.
type fixed []byte

// RoundTrip sends nothing.
func (f fixed) RoundTrip(r *http.Request) (*http.Response, error) {
	return answer(r, http.StatusOK, http.Header{"Content-Type": {"application/json"}}, f), nil
}

// check is the check of one token's signature. It keeps the provider's failure, which the library's error drops.
type check struct {
	p    *Provider
	down error
}

// VerifySignature returns the content of a token that a known key has signed. If none has, newer keys are asked for
// (OpenID Connect Core 1.0, section 10.1.1).
func (c *check) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	known, err := c.p.keys.get(ctx)
	if err != nil {
		c.down = err
		return nil, err
	}
	if at := c.p.discovery.latest(); at != nil && at.value.jwks != known.value.from {
		if moved, err := c.p.keys.newer(ctx, known, true); err == nil {
			known = moved
		}
	}
	content, refused := known.value.VerifySignature(ctx, raw)
	if refused == nil {
		return content, nil
	}
	newer, err := c.p.keys.newer(ctx, known, false)
	switch {
	case err != nil:
		c.down = err
		return nil, err
	case newer == known:
		return nil, refused
	}
	return newer.value.VerifySignature(ctx, raw)
}
