package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/feedhttp"
)

// relay asks the source of this follower a question of one that follows it, by that one's own credential. So the node
// at the head of the chain lends by its own limits, within the bounds of the service key that spends, and keeps the
// rows of the process that holds them. This follower holds nothing that its end could lose.
func relay[In, Out any](x *exchange, path string, in *In) (out Out, err error) {
	if err := x.lends(); err != nil {
		return out, err
	}
	token, err := bearer(x.r.Header)
	if err != nil {
		return out, err
	}
	out, err = feedhttp.Relay[In, Out](x.ctx(), x.api.Feed.Above, token, path, in)
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
