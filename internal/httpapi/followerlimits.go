package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/lender"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/keyward/keyward/internal/refusal"
	"github.com/keyward/keyward/internal/usage"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/wire"
)

// Bounds of one request of a follower.
const (
	maxLeases    = 100
	maxRests     = 16
	maxOwed      = 100
	maxClaims    = 1024
	maxReported  = 2000
	maxNumber    = 1<<53 - 1
	maxDemanded  = 1000
	maxLeaseCost = 1000
	dayForm      = time.DateOnly
	dayMillis    = 86_400_000
)

// borrower gives the follower that asks.
func (x *exchange) borrower(incarnation string) (lender.Caller, error) {
	if err := x.mayFollow(); err != nil {
		return lender.Caller{}, err
	}
	if incarnation == "" || len(incarnation) > maxFollowerText || strings.ContainsFunc(incarnation, func(r rune) bool {
		return r <= ' ' || r > '~'
	}) {
		return lender.Caller{}, fault.Invalid(
			"incarnation", "must be 1 to %d visible ASCII characters, others at every start", maxFollowerText,
		)
	}
	return lender.Caller{Key: x.service.ID, Incarnation: incarnation, Reach: x.service.Bounds.Reach}, nil
}

// lends refuses every question while this node is not fresh: it would lend by limits that may have been lowered. The
// token may have been taken back while the body was read.
func (x *exchange) lends() error {
	if err := x.mayFollow(); err != nil {
		return err
	}
	return x.serves()
}

// between refuses a number that is out of its bounds.
func between(field string, n, least, most int64) error {
	if n < least || n > most {
		return fault.Invalid(field, "must be a whole number from %d to %d", least, most)
	}
	return nil
}

// keyOf reads the id of a key.
func keyOf(field string, text wire.Place) ([16]byte, error) {
	u, ok := id.Parse(string(text))
	if !ok {
		return u, fault.Invalid(field, "must be an id")
	}
	return u, nil
}

// leaseMinutes lends units of minutes. Each question stands alone.
func (a *api) leaseMinutes(x *exchange, in wire.FollowerLeases) (out wire.LeaseAnswers, err error) {
	caller, err := x.borrower(in.Incarnation)
	if err != nil {
		return out, err
	}
	if n := len(in.Leases); n == 0 || n > maxLeases {
		return out, fault.Invalid("leases", "must hold 1 to %d questions", maxLeases)
	}
	if a.Feed != nil && a.Feed.Above != nil {
		return x.leasesAbove(&in)
	}
	asks := make([]lender.Ask, len(in.Leases))
	for i := range in.Leases {
		if asks[i], err = ask(fmt.Sprintf("leases[%d]", i), &in.Leases[i]); err != nil {
			return out, err
		}
	}
	if err := x.lends(); err != nil {
		return out, err
	}
	l := a.Feed.Lender
	if away := l.Away(); away > 0 {
		x.w.Header().Set("Retry-After", strconv.Itoa(int((away+time.Second-1)/time.Second)))
		return out, fault.New(fault.Unavailable, "limits per minute cannot be asked now").Because(lease.ErrAway)
	}
	out = wire.LeaseAnswers{Sharers: l.Sharers(), Leases: make([]wire.LeaseAnswer, len(asks))}
	for i := range asks {
		own, shared, err := l.Lend(&caller, &asks[i])
		if err != nil {
			out.Leases[i].Error = string(lendFault(err))
			continue
		}
		now := l.Clock.Wall()
		out.Leases[i].Minute = minuteAnswer(asks[i].Own, &own, now)
		out.Leases[i].WorkspaceMinute = minuteAnswer(asks[i].Shared, &shared, now)
	}
	return out, nil
}

// lendFault is the code of a question that was not answered.
func lendFault(err error) fault.Code {
	switch {
	case errors.Is(err, lender.ErrUnknown):
		return fault.NotFound
	case errors.Is(err, lender.ErrNoBank), errors.Is(err, lease.ErrOld), errors.Is(err, lease.ErrReused):
		return fault.Conflict
	}
	return fault.Unavailable
}

func ask(at string, in *wire.FollowerLease) (q lender.Ask, err error) {
	if err := between(at+".number", in.Number, 1, maxNumber); err != nil {
		return q, err
	}
	if err := between(at+".cost", in.Cost, 0, maxLeaseCost); err != nil {
		return q, err
	}
	q.Number, q.Cost = uint64(in.Number), in.Cost
	if q.Key, err = keyOf(at+".keyId", in.KeyID); err != nil {
		return q, err
	}
	if in.Minute.IsZero() && in.WorkspaceMinute.IsZero() {
		return q, fault.Invalid(at+".minute", "must be given, or workspaceMinute, or both")
	}
	if q.Own, err = minute(at+".minute", in.Minute.Of, in.Cost); err != nil {
		return q, err
	}
	if q.Shared, err = minute(at+".workspaceMinute", in.WorkspaceMinute.Of, in.Cost); err != nil {
		return q, err
	}
	if q.Own != nil && q.Shared != nil && len(q.Own.Owed)+len(q.Shared.Owed) > 0 {
		return q, fault.Invalid(at+".minute.owed", "must stand in a question about one limit")
	}
	return q, nil
}

func minute(at string, in *wire.FollowerMinute, cost int64) (*lender.Minute, error) {
	if in == nil {
		return nil, nil
	}
	if err := between(at+".want", in.Want, 0, ratelimit.Max); err != nil {
		return nil, err
	}
	if in.Want > 0 && in.Want < cost {
		return nil, fault.Invalid(at+".want", "must be 0, or the cost at least")
	}
	if len(in.GiveBack) > maxRests || len(in.Owed) > maxOwed {
		return nil, fault.Invalid(at, "may hold %d in giveBack and %d in owed", maxRests, maxOwed)
	}
	if len(in.Owed) > 0 && in.Want+int64(len(in.GiveBack)) > 0 {
		return nil, fault.Invalid(at+".owed", "must stand in a question that wants and gives back nothing")
	}
	out := &lender.Minute{Want: in.Want, Ahead: in.Ahead}
	for i, r := range in.GiveBack {
		if err := between(fmt.Sprintf("%s.giveBack[%d].units", at, i), r.Units, 1, ratelimit.Max); err != nil {
			return nil, err
		}
		out.Back = append(out.Back, lease.Rest{Lot: r.Lease, Units: r.Units})
	}
	for i, o := range in.Owed {
		if err := between(fmt.Sprintf("%s.owed[%d].units", at, i), o.Units, 1, ratelimit.Max); err != nil {
			return nil, err
		}
		if err := between(fmt.Sprintf("%s.owed[%d].secondsAgo", at, i), o.SecondsAgo, 0, lease.Window); err != nil {
			return nil, err
		}
		out.Owed = append(out.Owed, lease.Owing{Ago: o.SecondsAgo, Units: o.Units})
	}
	return out, nil
}

// minuteAnswer tells instants as the time until then: the clocks of the two machines may differ.
func minuteAnswer(asked *lender.Minute, a *lease.Answer, now int64) *wire.MinuteAnswer {
	if asked == nil {
		return nil
	}
	out := &wire.MinuteAnswer{Granted: a.Granted, Lease: a.Lot, Charged: a.Charged, RetryInMS: a.Retry, KnownMS: a.Known}
	if a.Reset > 0 {
		out.ResetInMS = max(0, a.Reset-now)
	}
	if a.Retry > 0 {
		out.RetryInMS = max(1, a.Retry-now)
	}
	return out
}

// reserveDays reserves units of days, and takes some back.
func (a *api) reserveDays(x *exchange, in wire.FollowerDays) (out wire.DayAnswers, err error) {
	caller, err := x.borrower(in.Incarnation)
	if err != nil {
		return out, err
	}
	if err := between("number", in.Number, 1, maxNumber); err != nil {
		return out, err
	}
	if n := len(in.Claims); n == 0 || n > maxClaims {
		return out, fault.Invalid("claims", "must hold 1 to %d claims", maxClaims)
	}
	if a.Feed != nil && a.Feed.Above != nil {
		return x.daysAbove(&in)
	}
	claims := make([]ratelimit.Claim, len(in.Claims))
	for i := range in.Claims {
		if claims[i], err = dayClaim(fmt.Sprintf("claims[%d]", i), &in.Claims[i]); err != nil {
			return out, err
		}
	}
	if err := x.lends(); err != nil {
		return out, err
	}
	err = a.Feed.Lender.Reserve(x.ctx(), &caller, in.Number, claims)
	if err != nil {
		return out, a.batchFault(err)
	}
	for i := range claims {
		c := &claims[i]
		out.Claims = append(out.Claims, wire.DayAnswer{
			Granted: c.Granted, Reserved: c.Reserved, Day: time.UnixMilli(c.Stands * dayMillis).UTC().Format(dayForm),
		})
	}
	return out, nil
}

func dayClaim(at string, in *wire.FollowerDay) (c ratelimit.Claim, err error) {
	if c.ID, err = keyOf(at+".accountId", in.AccountID); err != nil {
		return c, err
	}
	day, err := time.Parse(dayForm, in.Day)
	if err != nil || day.Year() < 1970 {
		return c, fault.Invalid(at+".day", "must be a date, such as 2026-11-30")
	}
	if err := between(at+".want", in.Want, 0, ratelimit.Max); err != nil {
		return c, err
	}
	if err := between(at+".giveBack", in.GiveBack, 0, ratelimit.Max); err != nil {
		return c, err
	}
	c.Day, c.Want, c.Give = day.UnixMilli()/dayMillis, in.Want, in.GiveBack
	return c, nil
}

// batchFault says why a batch was not taken.
func (a *api) batchFault(err error) error {
	switch {
	case errors.Is(err, lender.ErrOldBatch):
		return fault.New(fault.Conflict, "this number was used before by another batch, or a later one was taken").
			Because(err)
	case errors.Is(err, lender.ErrTooManyFollowers):
		return fault.New(fault.Unavailable, "as many followers as may have sent something lately").Because(err)
	case errors.Is(err, lender.ErrTomorrow):
		return fault.Invalid("claims", "are about a day that has not begun here: the clocks differ")
	case errors.Is(err, lender.ErrTime):
		return fault.Invalid("uses", "must not lie in the future, nor more than 48 hours ago")
	}
	return a.Control.Unavailable(err)
}

// reportUses takes down the uses that a follower has counted.
func (a *api) reportUses(x *exchange, in wire.FollowerUses) (out wire.UsesTaken, err error) {
	caller, err := x.borrower(in.Incarnation)
	if err != nil {
		return out, err
	}
	if err := between("number", in.Number, 1, maxNumber); err != nil {
		return out, err
	}
	if len(in.Uses)+len(in.Previous)+len(in.Refusals) > maxReported {
		return out, fault.Invalid("uses", "must hold at most %d together with previous and refusals", maxReported)
	}
	if a.Feed != nil && a.Feed.Above != nil {
		return x.usesAbove(&in)
	}
	r, err := a.report(&in)
	if err != nil {
		return out, err
	}
	if err := x.lends(); err != nil {
		return out, err
	}
	if in.Lost > 0 {
		a.Logger.Warn("a follower has lost uses: more keys were used at once than it counts", "follower", in.Incarnation,
			"serviceKey", string(caller.Key), "lost", in.Lost)
	}
	if err := a.Feed.Lender.Report(x.ctx(), &caller, in.Number, r); err != nil {
		return out, a.batchFault(err)
	}
	return wire.UsesTaken{Taken: true}, nil
}

func (a *api) report(in *wire.FollowerUses) (*lender.Report, error) {
	r := &lender.Report{}
	for i := range in.Uses {
		e, err := use(fmt.Sprintf("uses[%d]", i), &in.Uses[i])
		if err != nil {
			return nil, err
		}
		r.Uses = append(r.Uses, e)
	}
	for i, p := range in.Previous {
		key, err := keyOf(fmt.Sprintf("previous[%d].keyId", i), p.KeyID)
		if err != nil {
			return nil, err
		}
		r.Earlier = append(r.Earlier, lender.EarlierUse{Key: key, Until: p.UntilMS, At: p.UsedMS})
	}
	at := map[[16]byte]int{}
	for i := range in.Refusals {
		one, err := a.refused(fmt.Sprintf("refusals[%d]", i), &in.Refusals[i])
		if err != nil {
			return nil, err
		}
		place, there := at[one.Key]
		if !there {
			place = len(r.Refusals)
			at[one.Key] = place
			r.Refusals = append(r.Refusals, nil)
		}
		r.Refusals[place] = append(r.Refusals[place], one)
	}
	return r, nil
}

func use(at string, in *wire.FollowerUse) (e usage.Entry, err error) {
	if in.KeyID != "" {
		if e.Key, err = keyOf(at+".keyId", in.KeyID); err != nil {
			return e, err
		}
		if e.Workspace, err = keyOf(at+".workspaceId", in.WorkspaceID); err != nil {
			return e, err
		}
	}
	e.Minute, e.Used, e.Tried = in.StartMS-in.StartMS%60_000, in.UsedMS, in.TriedMS
	for word, n := range in.Counts {
		code, ok := usage.CodeOf(verify.Code(word))
		if !ok {
			return e, fault.Invalid(at+".counts", "must be counts by the codes of a verification")
		}
		if err := between(at+".counts."+word, n, 0, 1<<32); err != nil {
			return e, err
		}
		e.Counts[code] = n
	}
	if in.StartMS < 1 {
		return e, fault.Invalid(at+".startMs", "must be the beginning of a minute, in Unix milliseconds")
	}
	return e, nil
}

// refused reads a refusal. The sentence that people read is made here.
func (a *api) refused(at string, in *wire.FollowerRefusal) (r refusal.Record, err error) {
	if r.Key, err = keyOf(at+".keyId", in.KeyID); err != nil {
		return r, err
	}
	if _, ok := usage.CodeOf(verify.Code(in.Code)); !ok || in.Code == string(verify.Valid) {
		return r, fault.Invalid(at+".code", "must be the code of a verification that refuses")
	}
	reason, ok := refusal.ReasonOf(in.Reason)
	if !ok {
		return r, fault.Invalid(at+".reason", "is none")
	}
	if err := between(at+".cost", in.Cost, 0, maxLeaseCost); err != nil {
		return r, err
	}
	if in.IP != "" {
		if r.IP, err = netip.ParseAddr(in.IP); err != nil {
			return r, fault.Invalid(at+".ip", "must be an IP address")
		}
	}
	for _, set := range []struct {
		name  string
		names []string
		into  *perm.Set
	}{{"all", in.All, &r.Demand.All}, {"any", in.Any, &r.Demand.Any}, {"missing", in.Missing, &r.Missing}} {
		if len(set.names) > maxDemanded {
			return r, fault.Invalid(at+"."+set.name, "holds more than %d permissions", maxDemanded)
		}
		*set.into = a.Catalogue.Known(set.names)
	}
	r.At, r.Code, r.Reason, r.Earlier = in.AtMS, verify.Code(in.Code), reason, in.Previous
	r.Cost, r.Number, r.Seq = int(in.Cost), in.Number, in.Seq
	return r, nil
}

func (a *api) followerLimitRoutes() []route {
	const path = base + "/feed"
	post := func(on, name, message string, serve endpoint) route {
		return route{on: http.MethodPost + " " + path + on, name: name, message: message, body: jsonBody, quiet: true,
			serve: serve}
	}
	return []route{
		post("/leases", "leaseMinutes", "Units of minutes", handle(a.leaseMinutes)),
		post("/days", "reserveDays", "Units of days", handle(a.reserveDays)),
		post("/usage", "reportUses", "What was counted is taken down", handle(a.reportUses)),
	}
}
