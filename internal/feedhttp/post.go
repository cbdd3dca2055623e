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

// postError says that the source answered, and refuses.
type postError struct {
	status  int
	message string
	after   time.Duration // that it asks for
}

func (e *postError) Error() string {
	return fmt.Sprintf("the source answers %d: %s", e.status, e.message)
}

// lasting tells whether the same question gets the same answer later.
func (e *postError) lasting() bool {
	switch e.status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusNotFound, http.StatusForbidden,
		http.StatusRequestEntityTooLarge:
		return true
	}
	return false
}

// post sends a body to an operation of the feed, and reads its result.
func post[Out any](ctx context.Context, c *Client, path string, body []byte) (out Out, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/api/v2/feed"+path, bytes.NewReader(body))
	if err != nil {
		return out, fmt.Errorf("ask the source: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token())
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
		return out, &postError{resp.StatusCode, failure.Error.Message, after}
	}
	var answer wire.Success[Out]
	if err := json.Unmarshal(text, &answer); err != nil || !answer.Success {
		return out, errors.Join(ErrUnanswered, err)
	}
	return answer.Data.Result, nil
}
