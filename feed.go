package keyward

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// FollowerOptions are what a follower says of itself with each question. The zero value is a reader that nobody waits
// for.
type FollowerOptions struct {
	// Nonce is a random text, another one with each question: an answer that does not repeat it is none to it.
	Nonce string
	// Fields are told of keys beside what a decision needs: name, metadata, secondDigest.
	Fields []string
	// Name is for people. Incarnation is another text at every start: with it, wait=all waits for this follower.
	Name, Version, Incarnation string
	// Count rises with each question.
	Count uint64
	// MaxStaleness is the age at which the follower fences itself, Age that of its copy, and Fenced says that it answers
	// nothing now.
	MaxStaleness, Age time.Duration
	Fenced            bool
	// Leaving says that it answers nothing from now on.
	Leaving bool
	// Followers counts those that follow it, and Below is the least revision that one of these has; nil for none.
	Followers int
	Below     *int64
}

func (o FollowerOptions) query() query {
	q := query{}.text("nonce", o.Nonce).text("fields", strings.Join(o.Fields, ",")).text("name", o.Name)
	q = q.text("version", o.Version).text("incarnation", o.Incarnation).number("followers", o.Followers)
	q = q.number("maxStalenessMs", int(o.MaxStaleness.Milliseconds())).number("ageMs", int(o.Age.Milliseconds()))
	if o.Count > 0 {
		q = q.text("count", strconv.FormatUint(o.Count, 10))
	}
	if o.Fenced {
		q = q.text("fenced", "true")
	}
	if o.Leaving {
		q = q.text("leaving", "true")
	}
	if o.Below != nil {
		q = q.text("below", strconv.FormatInt(*o.Below, 10))
	}
	return q
}

// FeedSnapshot streams everything that a verification needs, as JSON lines, to a service key with the scope follow. It
// counts once the last line is there, which has the cursor for Feed. The caller closes the reader. To follow the feed,
// package verifier is simpler.
func (c *Client) FeedSnapshot(ctx context.Context, opts FollowerOptions) (io.ReadCloser, error) {
	return c.lines(ctx, opts.query(), "feed", "snapshot")
}

// FeedOptions ask for the changes after a cursor.
type FeedOptions struct {
	FollowerOptions
	// After is the cursor of a snapshot, or of the page before.
	After string
	// Wait is for how long the server may hold the question while there is nothing new.
	Wait time.Duration
	// Reporting only says how the follower stands.
	Reporting bool
}

// Feed streams the changes after a cursor, as JSON lines: a page counts once its last line is there, the cursor for the
// next question. ErrConflict says to load a snapshot. The caller closes the reader.
func (c *Client) Feed(ctx context.Context, opts FeedOptions) (io.ReadCloser, error) {
	q := opts.query().text("after", opts.After)
	if opts.Wait > 0 {
		q = q.text("wait", strconv.FormatFloat(opts.Wait.Seconds(), 'f', -1, 64))
	}
	if opts.Reporting {
		q = q.text("reporting", "true")
	}
	return c.lines(ctx, q, "feed")
}

func (c *Client) lines(ctx context.Context, q query, path ...string) (io.ReadCloser, error) {
	k := get(url.Values(q), path...)
	k.header = http.Header{"Accept": {"*/*"}}
	resp, err := c.send(ctx, k)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
