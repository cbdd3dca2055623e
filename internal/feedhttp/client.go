package feedhttp

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/perm"
)

// ClientConfig holds the parts of a follower's end. HTTP, URL, Token, Limit and Random are needed.
type ClientConfig struct {
	HTTP  *http.Client
	URL   string // of the source, without a path
	Token func() string
	Limit time.Duration
	// Random gives a text that cannot be guessed, for each question another one.
	Random func() string

	Name, Version, Incarnation string
	// Below tells how many follow this follower, and the least revision that one of them has; nil for none.
	Below func() (followers int, least int64)
	// Second asks for second digests, too, for followers of this follower that are bound to workspaces.
	Second bool
	// Unzstd reads what zstd has compressed, which costs a fraction of gzip; nil where the source is asked for gzip alone.
	Unzstd func(io.Reader) (io.ReadCloser, error)
	// OnSettings is told of the source's settings, at the beginning of each load. An error of it ends the load.
	OnSettings func(*Settings, *perm.Catalogue) error
	// OnCount is told about how many keys a load has, after OnSettings and before the first of them, where the source
	// knows it.
	OnCount func(keys int64)
}

// Client asks a source over HTTP. It is a feed.Source, and safe for concurrent use.
type Client struct {
	ClientConfig
	count    atomic.Uint64
	foreign  atomic.Bool
	toAsk    atomic.Int64
	none     int // answers in a row that told of no key to ask about; only a load, or the one question, touches it
	kind     atomic.Pointer[reading]
	rejected atomic.Bool
	numbers  numbers
	relays   chan struct{} // a place for each question of others that is passed on

	mu    sync.Mutex
	asked string // the cursor of the latest question: everything up to it is applied; "" before one
}

// numbers are the last ones of what this incarnation has sent, of each kind. None is used twice.
type numbers struct{ leases, days, uses atomic.Int64 }

// reading is the state of the last answer, by which the lines of the next one are read.
type reading struct {
	catalogue *perm.Catalogue
	cursor    string // as text, of the cursor below
	at        feed.Cursor
}

// The bounds of an answer.
const (
	maxLine       = 1 << 20
	maxSettings   = 16 << 20
	loadTime      = 10 * time.Minute
	answerTime    = 2 * time.Second // beside the time for which a question is held
	fieldsWanted  = "name,metadata"
	maxRefusal    = 64 << 10
	retryNoSooner = time.Second
	relaysAtOnce  = 8 // so many connections more has a follower of which many others ask for limits
)

var (
	// ErrUnanswered says that an answer is not whole, or is that of another question.
	ErrUnanswered = errors.New("the source's answer is not one to this question")
	// ErrRefused says that the source refuses this follower: its token is not good (any more), or its limit is above
	// the source's.
	ErrRefused = errors.New("the source refuses")
)

// NewClient makes a follower's end.
func NewClient(c ClientConfig) *Client {
	if c.OnSettings == nil {
		c.OnSettings = func(*Settings, *perm.Catalogue) error { return nil }
	}
	if c.OnCount == nil {
		c.OnCount = func(int64) {}
	}
	return &Client{ClientConfig: c, relays: make(chan struct{}, relaysAtOnce)}
}

// Foreign tells whether the source has keys that the feed does not tell of, and ToAsk about how many.
func (c *Client) Foreign() bool { return c.foreign.Load() }

// ToAsk is about how many keys the source is to be asked about.
func (c *Client) ToAsk() int64 { return c.toAsk.Load() }

// learn takes what the last line of an answer says of keys that are not told. It is believed at once that there are
// some. That there are none any more is true of a later state than that of the page, so it holds as soon as the answer
// to a question that was asked afterwards is in the copy.
func (c *Client) learn(e *End, loaded bool) {
	c.toAsk.Store(e.KeysToAsk)
	switch {
	case e.HasForeignKeys:
		c.none = 0
		c.foreign.Store(true)
	case loaded: // all that there was is told, or comes by pages that say it
		c.none = 0
		c.foreign.Store(false)
	case e.More:
	default:
		c.none++
	}
}

// settle is called before a question: the answers before it are in the copy.
func (c *Client) settle() {
	if c.none >= 2 {
		c.foreign.Store(false)
	}
}

// Rejected tells whether the source refused this follower when it was asked last.
func (c *Client) Rejected() bool { return c.rejected.Load() }

// question gives the parameters of every question.
func (c *Client) question() (url.Values, string) {
	nonce := c.Random()
	q := url.Values{
		"nonce": {nonce}, "fields": {c.fields()}, "count": {strconv.FormatUint(c.count.Add(1), 10)},
		"maxStalenessMs": {strconv.FormatInt(c.Limit.Milliseconds(), 10)},
	}
	for name, value := range map[string]string{"name": c.Name, "version": c.Version, "incarnation": c.Incarnation} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if c.Below != nil {
		if n, least := c.Below(); n > 0 {
			q.Set("followers", strconv.Itoa(n))
			q.Set("below", strconv.FormatInt(least, 10))
		}
	}
	return q, nonce
}

func (c *Client) fields() string {
	if c.Second {
		return fieldsWanted + ",secondDigest"
	}
	return fieldsWanted
}

// questionAt is a question after a cursor, which is made of that of the question before. A later question never has an
// earlier cursor, whichever of them arrives first.
func (c *Client) questionAt(next func(asked string) string) (url.Values, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = next(c.asked)
	q, nonce := c.question()
	q.Set("after", c.asked)
	return q, nonce
}

// Load is feed.Source.
func (c *Client) Load(ctx context.Context, f func(feed.Change) error) (at feed.Cursor, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	q, nonce := c.questionAt(func(string) string { return "" })
	q.Del("after")
	body, err := c.get(ctx, "/api/v2/feed/snapshot", q)
	var busy *busyError
	if errors.As(err, &busy) {
		if err := sleep(ctx, busy.after); err != nil {
			return at, false, fmt.Errorf("%w: %w", err, busy)
		}
		return at, false, nil
	}
	if err != nil {
		return at, false, err
	}
	unpacked := newAhead(body)
	defer func() {
		cancel() // ends a read that is under way
		unpacked.close()
		_ = body.Close()
	}()
	lines := newLines(unpacked)
	defer lines.release()
	first, err := lines.next(maxSettings)
	if err != nil || first.Settings == nil {
		return at, false, errors.Join(ErrUnanswered, err)
	}
	catalogue, err := first.Settings.catalogue()
	if err == nil {
		err = c.OnSettings(first.Settings, catalogue)
	}
	if err != nil {
		return at, false, err
	}
	c.OnCount(max(first.Keys, 0))
	r := newReader(catalogue)
	r.again = &apikey.Key{}
	last, err := lines.all(r, f)
	if err != nil {
		return at, false, err
	}
	if last.Nonce != nonce {
		return at, false, ErrUnanswered
	}
	at, err = c.position(last.Cursor)
	if err != nil {
		return at, false, err
	}
	c.learn(last, true)
	c.kind.Store(&reading{catalogue, last.Cursor, at})
	return at, true, nil
}

// position reads a cursor of any kind: it is the source that judges the kind.
func (c *Client) position(text string) (at feed.Cursor, err error) {
	raw, err := base64url.DecodeString(text)
	if parts := strings.SplitN(string(raw), "|", 5); err == nil && len(parts) == 5 {
		at, err = readCursor(text, parts[3])
	}
	if err != nil || at.Epoch == "" {
		return at, fmt.Errorf("%w: its cursor is none", ErrUnanswered)
	}
	return at, nil
}

// Next is feed.Source. The answer counts only if it repeats the number of this question: a proxy that answers with an
// earlier page, or holds one back, cannot make a copy look fresh.
func (c *Client) Next(ctx context.Context, p feed.Presence) (page feed.Page, err error) {
	was := c.kind.Load()
	if was == nil || was.at != p.At {
		return page, fmt.Errorf("%w: it was read by nobody here", feed.ErrHistory)
	}
	c.settle()
	ctx, cancel := context.WithTimeout(ctx, p.Wait+max(answerTime, c.Limit/2))
	defer cancel()
	q, nonce := c.questionAt(func(string) string { return was.cursor })
	q.Set("wait", strconv.FormatFloat(p.Wait.Seconds(), 'f', 3, 64))
	q.Set("ageMs", strconv.FormatInt(min(p.Age.Milliseconds(), 1<<30), 10))
	q.Set("fenced", strconv.FormatBool(p.Fenced))
	body, err := c.get(ctx, "/api/v2/feed", q)
	if err != nil {
		return page, err
	}
	defer func() { _ = body.Close() }()
	lines := newLines(body)
	defer lines.release()
	last, err := lines.all(newReader(was.catalogue), func(ch feed.Change) error {
		page.Changes = append(page.Changes, ch)
		return nil
	})
	if err != nil {
		return feed.Page{}, err
	}
	if last.Nonce != nonce {
		return feed.Page{}, ErrUnanswered
	}
	if page.Cursor, err = c.position(last.Cursor); err != nil {
		return feed.Page{}, err
	}
	for i := range page.Changes {
		page.Changes[i].Revision = page.Cursor.Revision
	}
	page.More, page.Now = last.More, last.Now.Time
	page.Held, page.Age = time.Duration(last.HeldMS)*time.Millisecond, time.Duration(last.AgeMS)*time.Millisecond
	if page.Held < 0 || page.Age < 0 {
		return feed.Page{}, ErrUnanswered
	}
	c.learn(last, false)
	c.kind.Store(&reading{was.catalogue, last.Cursor, page.Cursor})
	return page, nil
}

// Report tells the source at once how far those that follow this follower have come. The question that the source holds
// goes on.
func (c *Client) Report(ctx context.Context, age time.Duration, fenced bool) error {
	q, _ := c.questionAt(func(asked string) string { return asked })
	if q.Get("after") == "" {
		return nil // the first question says it
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	q.Set("reporting", "true")
	q.Set("ageMs", strconv.FormatInt(min(age.Milliseconds(), 1<<30), 10))
	q.Set("fenced", strconv.FormatBool(fenced))
	body, err := c.get(ctx, "/api/v2/feed", q)
	if err == nil {
		err = body.Close()
	}
	return err
}

// Leave tells the source that this follower answers nothing any more.
func (c *Client) Leave(ctx context.Context) error {
	q, _ := c.question()
	q.Set("leaving", "true")
	body, err := c.get(ctx, "/api/v2/feed", q)
	if err == nil {
		err = body.Close()
	}
	return err
}

// busyError says to ask again later.
type busyError struct {
	after  time.Duration
	status int
	text   string
}

func (e *busyError) Error() string {
	return fmt.Sprintf("the source answers %d: %s", e.status, e.text)
}

// RetryAfter is how long to wait before the next question.
func (e *busyError) RetryAfter() time.Duration { return e.after }

func (c *Client) get(ctx context.Context, path string, q url.Values) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+path+"?"+q.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask the source: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token())
	req.Header.Set("Accept", shortLines)
	req.Header.Set("Accept-Encoding", c.codings())
	resp, err := c.HTTP.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the URL, which is long and tells nothing
		}
		return nil, fmt.Errorf("ask the source: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		c.rejected.Store(false)
		return c.unpacked(resp)
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, c.refusal(resp)
}

func (c *Client) codings() string {
	if c.Unzstd != nil {
		return "zstd, gzip"
	}
	return "gzip"
}

// unpacked gives the text of an answer.
func (c *Client) unpacked(resp *http.Response) (body io.ReadCloser, err error) {
	switch coding := resp.Header.Get("Content-Encoding"); {
	case coding == "":
		return resp.Body, nil
	case coding == "gzip":
		body, err = gzip.NewReader(resp.Body)
	case coding == "zstd" && c.Unzstd != nil:
		body, err = c.Unzstd(resp.Body)
	default:
		err = fmt.Errorf("it is compressed by %q, which was not asked for", coding)
	}
	if err != nil {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	return unpackedBody{body, resp.Body}, nil
}

// unpackedBody is the text of an answer that came compressed.
type unpackedBody struct {
	io.ReadCloser
	packed io.Closer
}

// Close ends both.
func (b unpackedBody) Close() error { return errors.Join(b.ReadCloser.Close(), b.packed.Close()) }

// refusal reads why the source does not answer.
func (c *Client) refusal(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	var failure struct {
		Error struct {
			Message string `json:"message"`
			Details []struct{ Field, Message string }
		} `json:"error"`
	}
	_ = json.Unmarshal(text, &failure) // a proxy's own answer is none
	message := failure.Error.Message
	for _, d := range failure.Error.Details {
		message += "; " + d.Field + " " + d.Message
	}
	switch resp.StatusCode {
	case http.StatusConflict:
		return fmt.Errorf("%w: %s", feed.ErrHistory, message)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return &busyError{max(retryNoSooner, time.Duration(seconds)*time.Second), resp.StatusCode, message}
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest, http.StatusNotFound:
		c.rejected.Store(true)
		return fmt.Errorf("%w: %d %s", ErrRefused, resp.StatusCode, message)
	}
	return fmt.Errorf("the source answers %d: %s", resp.StatusCode, message)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// catalogue makes the catalogue that the settings tell of.
func (s *Settings) catalogue() (*perm.Catalogue, error) {
	entries := make([]perm.Entry, len(s.Catalogue))
	for i, p := range s.Catalogue {
		entries[i] = perm.Entry{Resource: p.Resource, Action: p.Action, Description: p.Description}
	}
	c, err := perm.New(entries)
	if err != nil {
		return nil, fmt.Errorf("the source's catalogue: %w", err)
	}
	return c, nil
}

// lines reads an answer line by line.
type lines struct {
	in   *bufio.Reader
	long []byte // a line that the buffer of in has no room for
}

// lineBuffers are those between two answers: a page while nothing happens is one short line.
var lineBuffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}

func newLines(r io.Reader) *lines {
	in := lineBuffers.Get().(*bufio.Reader)
	in.Reset(r)
	return &lines{in: in}
}

// release gives the buffer to another answer. Nothing that was read may point to it.
func (l *lines) release() {
	l.in.Reset(nil)
	lineBuffers.Put(l.in)
	l.in = nil
}

// text reads one line of so many bytes at most, which is there until the next one is read. An answer that ends without
// a last line is not whole.
func (l *lines) text(most int) ([]byte, error) {
	l.long = l.long[:0]
	for {
		part, err := l.in.ReadSlice('\n')
		switch {
		case len(l.long)+len(part) > most:
			return nil, fmt.Errorf("%w: a line is longer than %d bytes", ErrUnanswered, most)
		case errors.Is(err, bufio.ErrBufferFull):
			l.long = append(l.long, part...)
			continue
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%w: it is cut off", ErrUnanswered)
		case err != nil:
			return nil, fmt.Errorf("read the source's answer: %w", err)
		case len(l.long) == 0:
			return part, nil
		}
		l.long = append(l.long, part...)
		return l.long, nil
	}
}

// next reads one line of any kind.
func (l *lines) next(most int) (*line, error) {
	text, err := l.text(most)
	if err != nil {
		return nil, err
	}
	return parseLine(text)
}

func parseLine(text []byte) (*line, error) {
	var one line
	if err := json.Unmarshal(text, &one); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	return &one, nil
}

// all tells f every change, and gives the end. A line of a kind that is not known is refused: passing it over could
// pass over a revocation.
func (l *lines) all(r *reader, f func(feed.Change) error) (*End, error) {
	for {
		text, err := l.text(maxLine)
		if err != nil {
			return nil, err
		}
		one, err := r.parse(text)
		if err != nil {
			return nil, err
		}
		switch {
		case one.End != nil:
			return one.End, nil
		case one.PermissionSet != nil:
			if err := r.learn(one.PermissionSet); err != nil {
				return nil, err
			}
			continue
		}
		change, ok, err := r.change(one)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnanswered, err)
		}
		if !ok {
			return nil, fmt.Errorf("%w: a line is of a kind that this release does not know", ErrUnanswered)
		}
		if err := f(change); err != nil {
			return nil, err
		}
	}
}
