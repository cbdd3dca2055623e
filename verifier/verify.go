package verifier

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/wire"
)

// Verify asks whether a key is good, as keyward.Client does. A refused key is a Verdict, not an error; an error says
// that there is no answer, which must never be taken for a yes: ErrStale, ErrUnavailable, ErrClosed, the end of ctx, or
// a *keyward.Error about a question that is wrong.
func (v *Verifier) Verify(ctx context.Context, req keyward.VerifyRequest) (keyward.Verdict, error) {
	if err := v.may(ctx); err != nil {
		return keyward.Verdict{}, err
	}
	in := asWire(&req)
	if err := v.confine(&in); err != nil {
		return keyward.Verdict{}, err
	}
	return v.decide(ctx, func(d *desk) (verify.Question, error) { return d.codec.Question(&in, "") })
}

// decide asks the engine of the present settings the question that is made for it.
func (v *Verifier) decide(ctx context.Context, ask func(*desk) (verify.Question, error)) (keyward.Verdict, error) {
	t := turns.Get().(*turn)
	for {
		d := v.desks.Load()
		var err error
		if t.question, err = ask(d); err != nil {
			return keyward.Verdict{}, invalid(err)
		}
		t.question.Context = ctx
		verdict, ok, waited := d.answer(ctx, t)
		if !waited {
			*t = turn{}
			turns.Put(t)
		}
		if ok {
			return verdict, nil
		}
		if v.desks.Load() == d {
			return keyward.Verdict{}, v.why(ctx, d)
		}
		t = &turn{}
	}
}

// turn is a question and its answer on their way through the engine.
type turn struct {
	question verify.Question
	answer   verify.Verdict
}

// turns are those between two questions. They hold nothing of the last one.
var turns = sync.Pool{New: func() any { return new(turn) }}

// answer asks the engine; ok is false where nothing can be said, or ctx has ended before. Where it waited, the turn may
// still be in use.
func (d *desk) answer(ctx context.Context, t *turn) (verdict keyward.Verdict, ok, waited bool) {
	if !d.Engine.CheckNow(&t.question, &t.answer) {
		waited = true
		done := make(chan struct{})
		go func() { // it ends by itself within seconds
			defer close(done)
			d.Engine.Check(&t.question, &t.answer)
		}()
		select {
		case <-done:
		case <-ctx.Done():
			return verdict, false, true
		}
	}
	if ok = t.answer.Code != verify.Unavailable; ok {
		verdict = d.verdict(&t.answer)
	}
	return verdict, ok, waited
}

// VerifyBatch asks 1 to 1000 questions at once; the verdicts are in their order. Each stands alone: an item that cannot
// be judged now is keyward.VerdictUnavailable and has cost nothing.
func (v *Verifier) VerifyBatch(ctx context.Context, items []keyward.VerifyRequest) ([]keyward.Verdict, error) {
	if err := v.may(ctx); err != nil {
		return nil, err
	}
	d := v.desks.Load()
	in := wire.VerifyBatch{Items: make([]wire.Verify, len(items))}
	for i := range items {
		in.Items[i] = asWire(&items[i])
		if err := v.confine(&in.Items[i]); err != nil {
			return nil, err
		}
	}
	questions, err := d.codec.Questions(&in)
	if err != nil {
		return nil, invalid(err)
	}
	if !v.Ready() {
		return nil, v.why(ctx, d)
	}
	for i := range questions {
		questions[i].Context = ctx
	}
	verdicts := make([]keyward.Verdict, len(questions))
	done := make(chan struct{})
	go func() { // it ends by itself within seconds
		defer close(done)
		var batch verify.Batch
		batch.Begin(d.Engine, questions)
		for i := range questions {
			verdicts[i] = d.verdict(batch.Next())
		}
	}()
	select {
	case <-done:
		return verdicts, ctx.Err()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// may refuses a question that has no end to wait for.
func (v *Verifier) may(ctx context.Context) error {
	if v.closed.Load() {
		return ErrClosed
	}
	return ctx.Err()
}

// why says why there is no verdict.
func (v *Verifier) why(ctx context.Context, d *desk) error {
	switch {
	case v.closed.Load():
		return ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case !v.follower.Replica().Ready() && v.follower.Rejected():
		return fmt.Errorf("%w: the server refuses the token, or MaxStaleness", ErrStale)
	case !v.follower.Replica().Ready():
		return ErrStale
	case v.follower.Doubt():
		return fmt.Errorf(
			"%w: this machine's clock and the server's differ by %s",
			ErrUnavailable,
			v.follower.Skew().Abs().Round(time.Second),
		)
	}
	if err := d.Judge.Failure(); err != nil {
		return fmt.Errorf("%w: the server decides about it, and could not be asked: %w", ErrUnavailable, err)
	}
	return ErrUnavailable
}

// Ready tells whether keys are judged now.
func (v *Verifier) Ready() bool { return !v.closed.Load() && v.follower.Replica().Ready() }

// Stats are the figures of a verifier at one moment.
type Stats struct {
	Ready    bool
	Keys     int           // in the copy
	Revision int64         // of the server's log, up to which the copy has everything; 0 during a load
	Age      time.Duration // of the copy: never VALID above MaxStaleness
	Loads    int64         // how often everything was loaded
	// Asked counts the questions that the server was asked, because it alone decides or for units of limits, and Failed
	// those of them without an answer, since its settings changed last.
	Asked, Failed int64
	// Lost counts uses that the server will not hear of: more keys were used at once than are counted.
	Lost int64
}

// Stats gives the figures.
func (v *Verifier) Stats() Stats {
	asked, failed := v.desks.Load().Judge.Asked()
	a := v.follower.Accounts()
	r := v.follower.Replica()
	return Stats{
		Ready:    v.Ready(),
		Keys:     r.Size(),
		Revision: v.follower.Revision(),
		Age:      r.Age(),
		Loads:    v.follower.Loads(),
		Asked:    asked + a.Questions,
		Failed:   failed + a.Failed,
		Lost:     a.Lost,
	}
}

// asWire puts a question into the shape in which it would cross the wire. A member that the client would leave out is
// not set.
func asWire(r *keyward.VerifyRequest) (in wire.Verify) {
	in.Key.Set, in.Key.Value = true, r.Key
	in.Permissions = wire.Demand{All: r.Permissions.All, Any: r.Permissions.Any}
	if r.Cost != nil {
		in.Cost.Set, in.Cost.Value = true, int64(*r.Cost)
	}
	in.IP.Set, in.IP.Value = r.IP != "", r.IP
	in.Environment.Set, in.Environment.Value = r.Environment != "", string(r.Environment)
	if r.WorkspaceIDs != nil {
		in.WorkspaceID = wire.OneOf{Set: true, List: true, Names: make([]wire.ID, len(r.WorkspaceIDs))}
		for i, name := range r.WorkspaceIDs {
			in.WorkspaceID.Names[i] = wire.ID(name)
		}
	}
	return in
}

// invalid gives the error that the client would get from the server.
func invalid(err error) error {
	f := fault.From(err)
	out := &keyward.Error{Status: http.StatusBadRequest, Code: keyward.ErrorCode(f.Code), Message: f.Message}
	for _, d := range f.Details {
		out.Details = append(out.Details, keyward.Detail{Field: d.Field, Message: d.Message})
	}
	return out
}

// verdict puts an answer into the client's words. Texts are copied: they look into the copy's memory.
func (d *desk) verdict(v *verify.Verdict) keyward.Verdict {
	out := keyward.Verdict{Valid: v.Code == verify.Valid, Code: keyward.VerdictCode(v.Code)}
	if !v.Known() {
		return out
	}
	k := &v.Key
	out.KeyID, out.Name = copied(v)
	out.WorkspaceID, out.UserID = string(k.Workspace), string(k.User)
	out.Environment = keyward.Environment(k.Environment)
	out.Permissions = d.Catalogue.Names(v.Permissions)
	out.Metadata = metadata(k.Metadata)
	if k.ExpiresAt != 0 {
		at := time.UnixMilli(k.ExpiresAt).UTC()
		out.ExpiresAt = &at
	}
	if k.Until != 0 {
		at := time.UnixMilli(k.Until).UTC()
		out.PreviousKeyExpiresAt = &at
	}
	if v.Code == verify.InsufficientPermissions {
		out.MissingPermissions = d.Catalogue.Names(v.Missing)
	}
	out.RateLimit = limitsOf(&v.Limits)
	return out
}

// copied gives a key's id and name, as parts of one text. The engine's name looks into the copy's memory.
func copied(v *verify.Verdict) (keyID, name string) {
	var space [128]byte
	text := string(append(id.Append(space[:0], v.Key.UUID), v.Key.Name...))
	n := len(text) - len(v.Key.Name)
	return text[:n], text[n:]
}

// metadata reads kept metadata, which is an object: the server keeps no other.
func metadata(text string) map[string]any {
	if text == "" {
		return map[string]any{}
	}
	var read map[string]any
	_ = json.Unmarshal([]byte(text), &read)
	return read
}

// limitsOf gives how the limits stand, in one piece for a key's own; nil where there are none.
func limitsOf(s *ratelimit.Status) *keyward.VerdictLimits {
	if !s.Any() {
		return nil
	}
	own := &struct {
		keyward.VerdictLimits
		minute, day keyward.Window
	}{}
	own.Minute, own.Day = window(&own.minute, &s.Minute), window(&own.day, &s.Day)
	if s.WorkspaceMinute.Limit != 0 || s.WorkspaceDay.Limit != 0 {
		var shared struct{ minute, day keyward.Window }
		own.WorkspaceMinute = window(&shared.minute, &s.WorkspaceMinute)
		own.WorkspaceDay = window(&shared.day, &s.WorkspaceDay)
	}
	return &own.VerdictLimits
}

// window fills in one limit; nil for none.
func window(to *keyward.Window, w *ratelimit.Window) *keyward.Window {
	if w.Limit == 0 {
		return nil
	}
	*to = keyward.Window{Limit: int(w.Limit), Remaining: int(w.Remaining), ResetAt: time.UnixMilli(w.ResetAt).UTC()}
	return to
}
