package apikey

import (
	"time"

	"github.com/keyward/keyward/internal/id"
)

// RequestLife is how long a request waits to be confirmed.
const RequestLife = 15 * time.Minute

// MaxRequests bounds the requests of one actor in a workspace that wait at once.
const MaxRequests = 20

// Request is a key, or a new value of one, that a signed-in member has yet to confirm. It has no value: one is made as
// it is confirmed.
type Request struct {
	ID        id.Request
	Workspace id.Workspace
	Key       id.Key  // the one to rotate; of a creation the id that the key will have, which is the request's own
	Rotates   bool    // asks for a new value, else for a new key
	User      id.User // whose key it is
	Terms     string  // JSON: all that is asked for
	Actor     string  // the user, or the id of the service key, that asks
	Asker     string  // JSON: the credential by which it was asked for; "" once the request has ended
	CreatedAt time.Time
	ExpiresAt time.Time
	EndedAt   time.Time // zero while it waits
	Confirmed bool      // ended by being confirmed
}

// RequestState says what has become of a request.
type RequestState string

// The states.
const (
	RequestPending   RequestState = "pending"
	RequestConfirmed RequestState = "confirmed"
	RequestDeclined  RequestState = "declined"
	RequestExpired   RequestState = "expired"
)

// State is what has become of the request by a time. A clock that was set back gives no request a longer life.
func (r *Request) State(now time.Time) RequestState {
	switch {
	case r.Confirmed:
		return RequestConfirmed
	case !r.EndedAt.IsZero():
		return RequestDeclined
	case !now.Before(r.ExpiresAt), r.ExpiresAt.Sub(now) > RequestLife+time.Minute:
		return RequestExpired
	}
	return RequestPending
}
