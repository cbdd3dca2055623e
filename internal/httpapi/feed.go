package httpapi

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/lender"
	"github.com/keyward/keyward/internal/packing"
)

// Feed holds the parts that serve followers.
type Feed struct {
	Source    *feedhttp.Source
	Followers *cluster.Followers
	Lender    *lender.Lender
	// Above is the source of a follower that offers the feed onward, instead of a Lender: it is asked about limits, and
	// told of uses, for those below. Nil for a node.
	Above *Above
	Limit time.Duration // how old a copy may be: KEYWARD_MAX_STALENESS
	Ready func() bool   // this node's own copy is fresh
}

// Above is the source of a follower, and what the follower knows itself of the keys that it asks about.
type Above struct {
	*feedhttp.Client
	// Find tells where a key is; known is false for one of which the copy says nothing.
	Find         func(key [16]byte) (ws id.Workspace, env keyfmt.Environment, known bool)
	HasWorkspace func(id.Workspace) bool
}

// presence are the parameters by which a follower names itself.
var presence = []string{
	"nonce", "fields", "name", "version", "incarnation", "count", "maxStalenessMs", "ageMs", "fenced", "leaving",
	"followers", "below",
}

func (a *api) feedRoutes() []route {
	const path = base + "/feed"
	return []route{
		{
			on: "GET " + path, name: "readFeed", query: append([]string{"after", "wait", "reporting"}, presence...), holds: true,
			quiet: true,
			serve: a.readFeed,
		},
		{on: "GET " + path + "/snapshot", name: "readFeedSnapshot", query: presence, paced: true,
			serve: a.readFeedSnapshot},
	}
}

const (
	maxFollowerText = 100
	maxBelow        = 1 << 30 // followers of a follower
	maxLimit        = 24 * time.Hour
	maxWait         = 20 * time.Second
	// a question is held for a sixth of the smaller limit at most, so that an idle follower stays fresh
	waitShare    = 6
	snapshotTime = 10 * time.Minute
)

// follower reads the wishes and the state of the follower that asks.
func (x *exchange) follower() (q feedhttp.Question, h cluster.Heard, err error) {
	v := x.query.values
	q.Reach, q.Nonce = x.service.Bounds.Reach, v["nonce"]
	q.Modes = x.service.FollowerModes
	fields, given := v["fields"]
	if q.Fieldless = !given; given {
		for _, name := range strings.Split(fields, ",") {
			switch name {
			case "name":
				q.Name = true
			case "metadata":
				q.Metadata = true
			case "secondDigest":
				q.Second = true
			default:
				return q, h, fault.Invalid("fields",
					"must be name, metadata or secondDigest, or more than one with a comma between")
			}
		}
	}
	for _, name := range []string{"nonce", "name", "version", "incarnation"} {
		if _, err := x.query.word(name); err != nil {
			return q, h, err
		}
		if len(v[name]) > maxFollowerText {
			return q, h, fault.Invalid(name, "is longer than %d bytes", maxFollowerText)
		}
	}
	h.Follower = cluster.Follower{Key: x.service.ID, Incarnation: v["incarnation"], Name: v["name"], Version: v["version"],
		Workspaces: q.Reach.Workspaces}
	h.Below = math.MaxInt64
	if h.Limit, err = x.limit(); err != nil {
		return q, h, err
	}
	return q, h, x.standing(&h)
}

// limit is the follower's own, which is not above this node's: otherwise a revocation would hold here before it holds
// there.
func (x *exchange) limit() (time.Duration, error) {
	own := maxLimit
	if x.api.Feed != nil {
		own = x.api.Feed.Limit
	}
	given, err := x.query.number("maxStalenessMs", 100, int(maxLimit/time.Millisecond))
	if err != nil || given == 0 {
		return own, err
	}
	limit := time.Duration(given) * time.Millisecond
	if limit > own {
		return 0, fault.Invalid(
			"maxStalenessMs", "is above this node's own KEYWARD_MAX_STALENESS, which is %d", own.Milliseconds(),
		)
	}
	return limit, nil
}

// standing reads how the follower's copy stands.
func (x *exchange) standing(h *cluster.Heard) error {
	if text, given := x.query.values["count"]; given {
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return fault.Invalid("count", "must be a whole number from 0")
		}
		h.Count = n
	}
	age, err := x.query.number("ageMs", 0, 1<<31-1)
	if err != nil {
		return err
	}
	h.Age = time.Duration(age) * time.Millisecond
	if h.Followers, err = x.query.number("followers", 0, maxBelow); err != nil {
		return err
	}
	if text, given := x.query.values["below"]; given {
		if h.Below, err = strconv.ParseInt(text, 10, 64); err != nil || h.Below < -1 {
			return fault.Invalid("below", "must be a revision, or -1 for one that loads")
		}
	}
	for name, into := range map[string]*bool{"fenced": &h.Fenced, "leaving": &h.Leaving} {
		flag, err := x.query.flag(name)
		if err != nil {
			return err
		}
		*into = flag != nil && *flag
	}
	return nil
}

// mayFollow refuses every caller but a service key that may read the feed.
func (x *exchange) mayFollow() error {
	if x.caller.Session != "" {
		return fault.New(fault.PermissionDenied, "this needs a service key with the scope follow, and not a session",
			fault.Detail{Field: "scope", Message: string(account.ScopeFollow)})
	}
	if err := x.needScope(account.ScopeFollow); err != nil {
		return err
	}
	return nil
}

// serves refuses every question where there is no feed, or while this node is fenced itself.
func (x *exchange) serves() error {
	switch {
	case x.api.Feed == nil:
		return noRoute()
	case !x.api.Feed.Ready():
		return unavailable()
	}
	return nil
}

// hear notes the follower before its question is answered: changes that are committed from now on wait for it.
func (x *exchange) hear(h *cluster.Heard) error {
	err := x.api.Feed.Followers.Hear(x.ctx(), h)
	if errors.Is(err, cluster.ErrTooManyFollowers) {
		return fault.New(fault.Unavailable, "this node has as many followers as it takes")
	}
	if err != nil {
		return x.api.Control.Unavailable(err)
	}
	return nil
}

// seconds reads wait: seconds, also with a fraction.
func (x *exchange) seconds() (time.Duration, error) {
	text, given := x.query.values["wait"]
	if !given {
		return 0, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n <= 3600) || strings.Trim(text, "0123456789.") != "" {
		return 0, fault.Invalid("wait", "must be a number of seconds from 0 to 3600")
	}
	return time.Duration(n * float64(time.Second)), nil
}

// readFeed answers the changes after a cursor, and holds the question while there are none.
func (a *api) readFeed(x *exchange) error {
	if err := x.mayFollow(); err != nil {
		return err
	}
	q, h, err := x.follower()
	if err != nil {
		return err
	}
	wait, err := x.seconds()
	if err != nil {
		return err
	}
	reporting, err := x.query.flag("reporting")
	if err != nil {
		return err
	}
	after, err := x.query.word("after")
	if err == nil && after == "" && !h.Leaving {
		err = fault.Invalid("after", "must be given: the cursor of a snapshot, or of the page before")
	}
	if err != nil {
		return err
	}
	if err := x.serves(); err != nil {
		return err
	}
	at, lost := x.place(after, &q, &h)
	if lost != nil && !errors.Is(lost, feed.ErrHistory) {
		return a.noPage(lost)
	}
	h.ToAsk = a.Feed.Source.Untold(&q)
	if err := x.hear(&h); err != nil {
		return err
	}
	if lost != nil {
		return a.noPage(lost)
	}
	if h.Leaving || reporting != nil && *reporting {
		out, _ := x.lines()
		if err := a.Feed.Source.WriteEnd(out, &q); err != nil {
			return err
		}
		return out.end()
	}
	return x.writePage(at, min(wait, h.Limit/waitShare, maxWait), &q)
}

// place reads the cursor of a question. The follower has applied nothing where the log does not go on there: the number
// of a revision may be that of another change in another history.
func (x *exchange) place(after string, q *feedhttp.Question, h *cluster.Heard) (at feed.Cursor, err error) {
	h.Applied, h.History = -1, x.api.Feed.Followers.History()
	if h.Leaving {
		return at, nil
	}
	if at, err = x.api.Feed.Source.Position(after, q); err != nil {
		return at, err
	}
	if err = x.api.Feed.Source.Check(x.ctx(), at); err != nil {
		return at, err
	}
	h.Applied = at.Revision
	return at, nil
}

// writePage answers with the next page.
func (x *exchange) writePage(at feed.Cursor, wait time.Duration, q *feedhttp.Question) error {
	a := x.api
	page, err := a.Feed.Source.Await(x.ctx(), feed.Presence{At: at, Wait: wait})
	if err != nil {
		return a.noPage(err)
	}
	if err := x.mayFollow(); err != nil { // the token may have been taken back while the question was held
		return err
	}
	if err := x.serves(); err != nil {
		return err
	}
	out, pack := x.lines()
	if err := a.Feed.Source.WritePage(out, pack, &page, q); err != nil {
		return err
	}
	return out.end()
}

// noPage says why the feed does not go on.
func (a *api) noPage(err error) error {
	switch {
	case errors.Is(err, feed.ErrHistory):
		return fault.New(fault.Conflict, "the feed does not go on after this cursor: load a snapshot").Because(err)
	case errors.Is(err, context.Canceled):
		return http.ErrAbortHandler
	case errors.Is(err, feedhttp.ErrNoCursor):
		return fault.Invalid("after", "is no cursor of the feed")
	case errors.Is(err, feed.ErrLoading):
		return unavailable()
	case errors.Is(err, feedhttp.ErrBusy):
		return fault.New(fault.Unavailable, "as many followers load everything as may at once: ask again")
	}
	return a.Control.Unavailable(err)
}

// readFeedSnapshot answers everything that the follower may know.
func (a *api) readFeedSnapshot(x *exchange) error {
	if err := x.mayFollow(); err != nil {
		return err
	}
	q, h, err := x.follower()
	if err != nil {
		return err
	}
	if err := x.serves(); err != nil {
		return err
	}
	h.Applied = -1
	h.ToAsk = a.Feed.Source.Untold(&q)
	if err := x.hear(&h); err != nil {
		return err
	}
	q.Short = feedhttp.ReadsShort(x.r.Header.Values("Accept"))
	ctx, cancel := context.WithTimeout(x.ctx(), snapshotTime)
	defer cancel()
	out, pack := x.lines()
	if err := a.Feed.Source.WriteSnapshot(ctx, out, pack, &q); err != nil {
		return a.noPage(err)
	}
	return out.end()
}

// lines is an answer of JSON lines, and how it may be compressed. Nothing is sent before the first piece is full, or
// end is called.
func (x *exchange) lines() (*firstPiece, *feedhttp.Packing) {
	h := x.w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Vary", "Accept, Accept-Encoding")
	out := &firstPiece{x: x}
	coding := packing.Accepted(x.r.Header.Values("Accept-Encoding"))
	if coding == nil {
		return out, nil
	}
	return out, &feedhttp.Packing{
		Name:  coding.Name,
		Begin: func(to io.Writer) feedhttp.Packer { return coding.Pack(to) },
		Used:  func() { out.encoding = coding.Name },
	}
}

// firstPiece keeps the first bytes back, so that an answer that fails early is a refusal, and a short one has a length.
type firstPiece struct {
	x        *exchange
	encoding string
	kept     []byte
	begun    bool
}

func (p *firstPiece) Write(b []byte) (int, error) {
	if p.begun && len(p.kept) == 0 && len(b) >= pieceSize {
		return pieces{p.x}.Write(b)
	}
	p.kept = append(p.kept, b...)
	if len(p.kept) < pieceSize {
		return len(b), nil
	}
	return len(b), p.send()
}

func (p *firstPiece) send() error {
	if !p.begun && p.encoding != "" {
		p.x.w.Header().Set("Content-Encoding", p.encoding)
	}
	p.begun = true
	_, err := pieces{p.x}.Write(p.kept)
	p.kept = p.kept[:0]
	return err
}

func (p *firstPiece) end() error {
	if !p.begun {
		p.x.w.Header().Set("Content-Length", strconv.Itoa(len(p.kept)))
	}
	return p.send()
}
