package feedhttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/keyward/keyward/internal/wire"
)

const maxAnswer = 4 << 20

// Refusal says that the source answered, and refuses.
type Refusal struct {
	Status  int
	Message string
	After   time.Duration // that it asks for
}

// Error says what the source said.
func (e *Refusal) Error() string {
	return fmt.Sprintf("the source answers %d: %s", e.Status, e.Message)
}

// lasting tells whether the same question gets the same answer later.
func (e *Refusal) lasting() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusNotFound, http.StatusForbidden,
		http.StatusRequestEntityTooLarge:
		return true
	}
	return false
}

// post sends a body to an operation of the feed, and reads its result.
func post[Out any](ctx context.Context, c *Client, path string, body []byte) (out Out, err error) {
	return postBy[Out](ctx, c, c.Token(), path, body)
}

// Relay sends a question of a follower of this follower to the source, by the credential of that one: the source judges
// it by the bounds of its own service key, and gives the answer. In is marshalled as it was read. Few go out at once;
// the others wait until ctx ends.
func Relay[In, Out any](ctx context.Context, c *Client, token, path string, in *In) (out Out, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return out, fmt.Errorf("write a question for the source: %w", err)
	}
	select {
	case c.relays <- struct{}{}:
		defer func() { <-c.relays }()
	case <-ctx.Done():
		return out, ctx.Err()
	}
	return postBy[Out](ctx, c, token, path, body)
}

func postBy[Out any](ctx context.Context, c *Client, token, path string, body []byte) (out Out, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/api/v2/feed"+path, bytes.NewReader(body))
	if err != nil {
		return out, fmt.Errorf("ask the source: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.HTTP.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the URL, which is long and tells nothing
		}
		return out, fmt.Errorf("ask the source: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return out, fmt.Errorf("read the source's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var failure struct {
			Error struct {
				Message string `json:"message"`
			} `json:"error"`
		}
		_ = json.Unmarshal(text, &failure) // a proxy's own answer is none
		after, _ := time.ParseDuration(resp.Header.Get("Retry-After") + "s")
		return out, &Refusal{resp.StatusCode, failure.Error.Message, after}
	}
	var answer wire.Success[Out]
	if err := json.Unmarshal(text, &answer); err != nil || !answer.Success {
		return out, errors.Join(ErrUnanswered, err)
	}
	return answer.Data.Result, nil
}
