package feedhttp

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/verify"
)

// Judge asks the source about what a follower must not decide: keys with limits, which the source counts for all, and
// values that the feed does not tell of. It is a verify.Source.
type Judge struct {
	Ask func(context.Context, keyward.VerifyRequest) (keyward.Verdict, error)
	// Blind tells whether the source has keys that the feed does not tell of.
	Blind func() bool
	// Now is the wall clock.
	Now func() time.Time

	catalogue atomic.Pointer[perm.Catalogue]
	places    chan struct{}
	asked     atomic.Int64
	failed    atomic.Int64
	failure   atomic.Pointer[error]
}

const (
	judgeTime  = 2 * time.Second // of a question to the source, and of the wait for a place
	judgePlace = 128             // questions to the source at once
)

// NewJudge makes a judge that asks over HTTP. The source needs a token with the scope verify for it.
func NewJudge(c *http.Client, url string, token func() string, blind func() bool, now func() time.Time) *Judge {
	ask := func(ctx context.Context, r keyward.VerifyRequest) (keyward.Verdict, error) {
		client, err := keyward.New(url, keyward.WithToken(token()), keyward.WithHTTPClient(c), keyward.WithRetry(0))
		if err != nil {
			return keyward.Verdict{}, err
		}
		return client.Verify(ctx, r)
	}
	return &Judge{Ask: ask, Blind: blind, Now: now, places: make(chan struct{}, judgePlace)}
}

// Use takes the catalogue of a load.
func (j *Judge) Use(c *perm.Catalogue) { j.catalogue.Store(c) }

// Asked counts the questions to the source, and how many of them had no answer.
func (j *Judge) Asked() (all, failed int64) { return j.asked.Load(), j.failed.Load() }

// Partial is verify.Source.
func (j *Judge) Partial() bool { return j.Blind() }

// Limits is verify.Source. What the source says wins: it knows of changes before this copy does.
func (j *Judge) Limits(q *verify.Question, v *verify.Verdict) verify.Code {
	answer, ok := j.ask(q)
	if !ok {
		return verify.Unavailable
	}
	v.Limits = limits(answer.RateLimit)
	switch code := verify.Code(answer.Code); code {
	case verify.Valid, verify.Disabled, verify.Expired, verify.IPForbidden:
		return code
	case verify.RateLimited, verify.QuotaExceeded:
		j.retry(q, v, code)
		return code
	}
	return verify.Unavailable // the copy is behind, and will know soon
}

// retry says when the same cost may be admitted at the latest, by the answer's windows.
func (j *Judge) retry(q *verify.Question, v *verify.Verdict, code verify.Code) {
	own, shared := v.Limits.Minute, v.Limits.WorkspaceMinute
	if code == verify.QuotaExceeded {
		own, shared = v.Limits.Day, v.Limits.WorkspaceDay
	}
	short := func(w ratelimit.Window) bool { return w.Limit > 0 && w.Remaining < max(int64(q.Cost), 1) }
	v.Limits.ByPlan = !short(own) && short(shared)
	v.Limits.RetryAt = max(own.ResetAt, shared.ResetAt)
	if own.Limit > 0 && own.Limit < int64(q.Cost) || shared.Limit > 0 && shared.Limit < int64(q.Cost) {
		v.Limits.RetryAt = ratelimit.Never
	}
}

func limits(r *keyward.VerdictLimits) (s ratelimit.Status) {
	if r == nil {
		return s
	}
	window := func(w *keyward.Window) ratelimit.Window {
		if w == nil {
			return ratelimit.Window{}
		}
		return ratelimit.Window{Limit: int64(w.Limit), Remaining: int64(w.Remaining), ResetAt: w.ResetAt.UnixMilli()}
	}
	s.Minute, s.Day = window(r.Minute), window(r.Day)
	s.WorkspaceMinute, s.WorkspaceDay = window(r.WorkspaceMinute), window(r.WorkspaceDay)
	return s
}

// Unknown is verify.Source.
func (j *Judge) Unknown(q *verify.Question, v *verify.Verdict) {
	answer, ok := j.ask(q)
	if !ok {
		v.Code = verify.Unavailable
		return
	}
	v.Code = verify.Code(answer.Code)
	if answer.KeyID == "" {
		return
	}
	catalogue := j.catalogue.Load()
	uuid, _ := id.Parse(answer.KeyID)
	held, _, known := catalogue.Set(answer.Permissions)
	missing, _, knownToo := catalogue.Set(answer.MissingPermissions)
	if !known || !knownToo {
		*v = verify.Verdict{Code: verify.Unavailable} // the catalogue has changed, and the copy will know soon
		return
	}
	v.Key = replica.View{
		UUID: uuid, Workspace: id.Workspace(answer.WorkspaceID), User: id.User(answer.UserID), Name: answer.Name,
		Environment: keyfmt.Environment(answer.Environment), Permissions: held, Effective: held,
	}
	v.Permissions, v.Missing, v.Limits = held, missing, limits(answer.RateLimit)
	if answer.ExpiresAt != nil {
		v.Key.ExpiresAt = answer.ExpiresAt.UnixMilli()
	}
	if answer.PreviousKeyExpiresAt != nil {
		v.Key.Until = answer.PreviousKeyExpiresAt.UnixMilli()
	}
	if len(answer.Metadata) > 0 {
		text, _ := json.Marshal(answer.Metadata) // it was JSON
		v.Key.Metadata = string(text)
	}
	v.Key.Limits = ratelimit.Limits{PerMinute: v.Limits.Minute.Limit, PerDay: v.Limits.Day.Limit}
	if v.Code == verify.RateLimited || v.Code == verify.QuotaExceeded {
		j.retry(q, v, v.Code)
	}
}

// ask asks the source, within the time that a caller waits.
func (j *Judge) ask(q *verify.Question) (answer keyward.Verdict, ok bool) {
	request, ok := j.request(q)
	if !ok {
		return keyward.Verdict{Code: keyward.VerdictNotFound}, true
	}
	ctx := q.Context
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, judgeTime)
	defer cancel()
	j.asked.Add(1)
	select {
	case j.places <- struct{}{}:
		defer func() { <-j.places }()
	case <-ctx.Done():
		j.fail(ctx.Err())
		return answer, false
	}
	answer, err := j.Ask(ctx, request)
	if err != nil {
		j.fail(err)
		return answer, false
	}
	return answer, true
}

func (j *Judge) fail(err error) {
	j.failed.Add(1)
	j.failure.Store(&err)
}

// Failure is why the latest question that had no answer had none; nil where there was no such question.
func (j *Judge) Failure() error {
	if err := j.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// request is the question in the words of the API; ok is false for one that no key can meet.
func (j *Judge) request(q *verify.Question) (r keyward.VerifyRequest, ok bool) {
	catalogue := j.catalogue.Load()
	if catalogue == nil {
		return r, false
	}
	cost := q.Cost
	r = keyward.VerifyRequest{Key: q.Key, Cost: &cost}
	if q.IP.IsValid() {
		r.IP = q.IP.String()
	}
	r.Permissions.All = catalogue.Names(q.Demand.All)
	if !q.Demand.Any.IsEmpty() {
		r.Permissions.Any = catalogue.Names(q.Demand.Any)
	}
	where := q.Where
	if q.Within != nil {
		where = where.And(*q.Within)
	}
	if r.WorkspaceIDs = renamed[string](where.Workspaces); r.WorkspaceIDs != nil && len(r.WorkspaceIDs) == 0 {
		return r, false
	}
	return r, environment(&where, &r)
}

func environment(where *account.Reach, r *keyward.VerifyRequest) (ok bool) {
	switch {
	case where.Environments == nil || len(where.Environments) > 1: // there are two
		return true
	case len(where.Environments) == 0:
		return false
	}
	r.Environment = keyward.Environment(where.Environments[0])
	return true
}
