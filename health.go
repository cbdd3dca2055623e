package keyward

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// Health asks whether the server is alive; nil says yes. It sends no token and is never retried.
func (c *Client) Health(ctx context.Context) error { return c.probe(ctx, "/healthz") }

// Ready asks whether the server can verify keys; nil says yes. It sends no token and is never retried.
func (c *Client) Ready(ctx context.Context) error { return c.probe(ctx, "/readyz") }

func (c *Client) probe(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("keyward: %w", err)
	}
	req.Header.Set("User-Agent", c.userAgent)
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("keyward: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return readRefusal(resp)
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxRefusal)
	return resp.Body.Close()
}
