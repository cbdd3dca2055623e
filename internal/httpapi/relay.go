package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/wire"
)

// leasesAbove asks the source of this follower for units of minutes, for a follower of this one.
func (x *exchange) leasesAbove(in *wire.FollowerLeases) (out wire.LeaseAnswers, err error) {
	if x.vouches() {
		if err := x.vouchForLeases(in); err != nil {
			return out, err
		}
	}
	return relay[wire.FollowerLeases, wire.LeaseAnswers](x, "/leases", in)
}

// daysAbove reserves units of days at the source of this follower, for a follower of this one.
func (x *exchange) daysAbove(in *wire.FollowerDays) (out wire.DayAnswers, err error) {
	var outside []int
	if x.vouches() {
		if outside, err = x.vouchForDays(in); err != nil {
			return out, err
		}
	}
	out, err = relay[wire.FollowerDays, wire.DayAnswers](x, "/days", in)
	for _, i := range outside {
		if i < len(out.Claims) {
			out.Claims[i].Reserved = 0 // how others' accounts stand is not told
		}
	}
	return out, err
}

// usesAbove tells the source of this follower of uses, for a follower of this one.
func (x *exchange) usesAbove(in *wire.FollowerUses) (out wire.UsesTaken, err error) {
	if x.vouches() {
		if err := x.vouchForUses(in); err != nil {
			return out, err
		}
	}
	return relay[wire.FollowerUses, wire.UsesTaken](x, "/usage", in)
}

// relay asks the source of this follower a question of one that follows it, by that one's own credential. So the node
// at the head of the chain lends by its own limits, within the bounds of the service key that spends, and keeps the
// rows of the process that holds them. This follower holds nothing that its end could lose. Where it vouches for the
// caller, the credential is its own.
func relay[In, Out any](x *exchange, path string, in *In) (out Out, err error) {
	if err := x.lends(); err != nil {
		return out, err
	}
	token, err := bearer(x.r.Header)
	if err != nil {
		return out, err
	}
	if x.vouches() {
		token = x.api.Feed.Above.Token()
	}
	out, err = feedhttp.Relay[In, Out](x.ctx(), x.api.Feed.Above.Client, token, path, in)
	var refused *feedhttp.Refusal
	switch {
	case err == nil:
		return out, nil
	case !errors.As(err, &refused):
		return out, unavailableAbove(err)
	}
	if refused.After > 0 {
		x.w.Header().Set("Retry-After", strconv.Itoa(int((refused.After+time.Second-1)/time.Second)))
	}
	switch refused.Status {
	case http.StatusBadRequest:
		return out, fault.New(fault.InvalidRequest, refused.Message)
	case http.StatusConflict:
		return out, fault.New(fault.Conflict, refused.Message)
	}
	return out, unavailableAbove(err)
}

// unavailableAbove says that the source gave no answer. It may be that the source does not know this caller yet, or any
// more: that is no word on the credential here, which the copy decides about.
func unavailableAbove(err error) error {
	return fault.New(fault.Unavailable, "the source of this follower gave no answer").Because(err)
}
