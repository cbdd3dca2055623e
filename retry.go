package keyward

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

const (
	defaultRetries = 3
	firstPause     = 100 * time.Millisecond
	longestPause   = 5 * time.Second

	// longestRetryAfter is the longest wait that a call takes upon itself. A daily quota asks for hours: the caller
	// decides then.
	longestRetryAfter = time.Minute
)

// again reports whether a refusal is worth sending the same call once more: 429 and 503 say that nothing was done,
// unless the outcome is unknown.
func (e *Error) again() bool {
	if e.Code == CodeOutcomeUnknown {
		return false
	}
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable
}

// again tells whether a call to which no answer came is worth sending once more. One that never left this machine,
// because no connection could be made, always is; another one where doing it twice is as good as once. A deletion is:
// the second one may answer 404. A verification is not, since it takes from limits. A wrong name, a certificate that is
// not good and an answer that takes too long are no better the next time.
func (k call) again(err error) bool {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var slow interface{ Timeout() bool }
	switch {
	case errors.Is(err, errTooLarge):
		return false
	case errors.As(err, &name) && name.IsNotFound, errors.As(err, &certificate), errors.As(err, &slow) && slow.Timeout():
		return false
	case k.harmless:
		return true
	}
	var failed *net.OpError
	return errors.As(err, &failed) && failed.Op == "dial"
}

// pause is the time that the server asks for and, on top, a random part of a span that doubles with each attempt
// ("full jitter": callers that were refused together do not come back together).
func pause(attempt int, asked time.Duration) time.Duration {
	span := min(longestPause, firstPause<<min(attempt, 10))
	return asked + rand.N(span)
}

// wait sleeps for d, and tells whether it did: not when ctx ends before, nor when it is bound to.
func wait(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
