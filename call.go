package keyward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	// maxAnswer holds the largest honest answer, a batch of 1000 verdicts with full metadata, several times over.
	maxAnswer = 32 << 20
	// maxRefusal is as much of a refusal as is read.
	maxRefusal = 1 << 20
)

// call is one operation on its way to the server.
type call struct {
	method string
	path   []string // segments below /api/v2, not yet escaped
	query  url.Values
	body   any        // sent as JSON
	form   url.Values // sent as a form, for the /oauth2 operations
	header http.Header
	// repeatable says that it can be sent again where the answer says that nothing was done.
	repeatable bool
	// harmless says that doing it twice is as good as once, so that it is sent again where no answer came.
	harmless bool
	// demands says that the body names the workspaces.
	demands bool
}

func get(query url.Values, path ...string) call {
	return call{method: http.MethodGet, path: path, query: query, repeatable: true, harmless: true}
}

func post(body any, path ...string) call {
	return call{method: http.MethodPost, path: path, body: body}
}

func put(body any, path ...string) call {
	return call{method: http.MethodPut, path: path, body: body, repeatable: true}
}

func patch(body any, path ...string) call {
	return call{method: http.MethodPatch, path: path, body: body}
}

func del(path ...string) call {
	return call{method: http.MethodDelete, path: path, repeatable: true, harmless: true}
}

// url joins the escaped segments and the query. It refuses segments that would name another resource ("", "." and
// ".."), and keys anywhere: URLs are logged.
func (c *Client) url(k call) (string, error) {
	var b strings.Builder
	b.WriteString(c.base + apiBase)
	for _, segment := range k.path {
		switch {
		case segment == "" || segment == "." || segment == "..":
			return "", fmt.Errorf("keyward: %q cannot be an id in a path", segment)
		case keyHead(segment) > 0:
			return "", errors.New("keyward: an id is wanted, not a key: keys are not put into URLs")
		}
		b.WriteString("/" + url.PathEscape(segment))
	}
	for name, values := range k.query {
		for _, value := range values {
			if keyHead(value) > 0 {
				return "", fmt.Errorf("keyward: %s is a key: keys are not put into URLs", name)
			}
		}
	}
	if len(k.query) > 0 {
		b.WriteString("?" + k.query.Encode())
	}
	return b.String(), nil
}

func (k call) payload() (data []byte, contentType string, err error) {
	switch {
	case k.form != nil:
		return []byte(k.form.Encode()), "application/x-www-form-urlencoded", nil
	case k.body != nil:
		data, err = json.Marshal(k.body)
		if err != nil {
			return nil, "", fmt.Errorf("keyward: encode request: %w", err)
		}
		return data, "application/json", nil
	}
	return nil, "", nil
}

// send gives the answer to a call that was not refused, its body open. A refusal is an *Error, after as many further
// attempts as the client makes.
func (c *Client) send(ctx context.Context, k call) (*http.Response, error) {
	k, err := c.confine(k)
	if err != nil {
		return nil, err
	}
	target, err := c.url(k)
	if err != nil {
		return nil, err
	}
	data, contentType, err := k.payload()
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		req, err := http.NewRequestWithContext(ctx, k.method, target, bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("keyward: %w", err)
		}
		c.dress(req, k, contentType)
		resp, err := c.http.Do(req)
		if err != nil {
			if attempt < c.retries && ctx.Err() == nil && k.again(err) && wait(ctx, pause(attempt, 0)) {
				continue
			}
			return nil, fmt.Errorf("keyward: %w", err)
		}
		if resp.StatusCode >= 200 && resp.StatusCode < 300 {
			return resp, nil
		}
		refused := readRefusal(resp)
		if attempt >= c.retries || !k.repeatable || !refused.again() || refused.RetryAfter > longestRetryAfter {
			return nil, refused
		}
		if !wait(ctx, pause(attempt, refused.RetryAfter)) {
			return nil, notWaited(refused, ctx.Err())
		}
	}
}

// notWaited is the refusal, and the context's end where that cut the wait short.
func notWaited(refused *Error, ended error) error {
	if ended == nil {
		return refused
	}
	return fmt.Errorf("%w: %w before the next attempt", refused, ended)
}

func (c *Client) dress(req *http.Request, k call, contentType string) {
	for name, values := range k.header {
		req.Header[name] = values
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	req.Header.Set("User-Agent", c.userAgent)
	if !c.token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
}

func readRefusal(resp *http.Response) *Error {
	defer resp.Body.Close()
	// An unreadable body is a refusal all the same, because the status says so.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	return refusal(resp, body)
}

var errTooLarge = fmt.Errorf("keyward: the answer is larger than %d bytes", maxAnswer)

// read sends a call and gives its answer's status and bounded body. An answer that breaks off is as one that never
// came.
func (c *Client) read(ctx context.Context, k call) (int, []byte, error) {
	for attempt := 0; ; attempt++ {
		resp, err := c.send(ctx, k)
		if err != nil {
			return 0, nil, err
		}
		status, body, err := readAnswer(resp)
		if err == nil || attempt >= c.retries || !k.again(err) || !wait(ctx, pause(attempt, 0)) {
			return status, body, err
		}
	}
}

func readAnswer(resp *http.Response) (int, []byte, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, fmt.Errorf("keyward: read answer: %w", err)
	}
	if len(body) > maxAnswer {
		return 0, nil, errTooLarge
	}
	return resp.StatusCode, body, nil
}

// invoke sends a call and takes the result out of the envelope of its answer.
func invoke[T any](ctx context.Context, c *Client, k call) (T, error) {
	result, _, err := invokeStatus[T](ctx, c, k)
	return result, err
}

// invokeStatus is invoke for the operations whose status says something more.
func invokeStatus[T any](ctx context.Context, c *Client, k call) (T, int, error) {
	var none T
	status, body, err := c.read(ctx, k)
	if err != nil {
		return none, 0, err
	}
	var envelope struct {
		Success bool `json:"success"`
		Data    struct {
			Result *T `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return none, 0, fmt.Errorf("keyward: decode answer: %w", err)
	}
	if !envelope.Success || envelope.Data.Result == nil {
		return none, 0, errors.New("keyward: the answer holds no result: is this a Keyward server?")
	}
	return *envelope.Data.Result, status, nil
}
