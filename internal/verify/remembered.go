package verify

import (
	"crypto/subtle"
	"net/netip"
	"time"
	"unsafe"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/replica"
)

// Remembered is the text of a service key and its digest, so that a connection which presents the same text again
// need not have it checked and digested anew. It holds no rights of the key: its standing, its end and its bounds are
// asked each time. The zero value remembers nothing. It is not safe for concurrent use.
type Remembered struct {
	text   []byte
	digest keyfmt.Digest
}

// is compares in constant time.
func (r *Remembered) is(token string) bool {
	return r != nil && len(r.text) > 0 &&
		subtle.ConstantTimeCompare(r.text, unsafe.Slice(unsafe.StringData(token), len(token))) == 1
}

func (r *Remembered) remember(token string, d keyfmt.Digest) {
	if r != nil {
		r.text, r.digest = append(r.text[:0], token...), d
	}
}

// Forget wipes the remembered text.
func (r *Remembered) Forget() {
	clear(r.text)
	*r = Remembered{text: r.text[:0]}
}

// Instant is one look at the clocks, by which more than one decision can be made.
type Instant struct {
	ms      int64         // Unix milliseconds
	elapsed time.Duration // on the limiter's clock; 0 where that is not read
}

// Look reads the clocks.
func (e *Engine) Look() (t Instant) {
	t.ms, t.elapsed = e.clocks()
	return t
}

// UnixMilli is the wall clock's.
func (t Instant) UnixMilli() int64 { return t.ms }

// Since is the time from u to t by the monotonic clock.
func (t Instant) Since(u Instant) time.Duration { return t.elapsed - u.elapsed }

// AuthenticateService is Authenticate for a caller that has to be a service key: the code is Valid or the text is none
// that may call from this address now. It has no effect and costs an API key nothing. known may be nil.
func (e *Engine) AuthenticateService(
	token string, ip netip.Addr, now Instant, known *Remembered, k *account.ServiceKey,
) Code {
	facts := e.replica.Load()
	repeated := known.is(token)
	if !repeated {
		if env, ok := e.format.Parse(token); !ok || env != keyfmt.Service {
			return NotFound
		}
	}
	if !facts.Ready() {
		return Unavailable
	}
	var ok bool
	if repeated {
		if *k, ok = facts.LookupService(known.digest); !ok { // the value may have got a digest under another pepper
			known.Forget()
		}
	}
	if !ok {
		if *k, ok = e.findService(facts, token); ok {
			known.remember(token, k.Digest.Sum)
		}
	}
	code := serviceCode(k, ok, ip, now.ms)
	if code == Valid {
		e.offerServiceSecond(facts, k, token)
	}
	return code
}

// service decides on a service key for Authenticate.
func (e *Engine) service(facts *replica.Replica, token string, ip netip.Addr, now int64, p *Principal) {
	k, ok := e.findService(facts, token)
	if p.Code = serviceCode(&k, ok, ip, now); p.Code != NotFound {
		p.IsService, p.Service, p.Presented = true, k, k.Digest.Sum
	}
	if p.Code == Valid {
		e.offerServiceSecond(facts, &k, token)
	}
}

// serviceCode decides: good, expired or not there. To a call from outside its networks a service key is not there.
func serviceCode(k *account.ServiceKey, found bool, ip netip.Addr, now int64) Code {
	switch {
	case !found || !account.AddrWithin(ip, k.Bounds.AllowedIPs):
		return NotFound
	case k.Expired(time.UnixMilli(now)):
		return Expired
	}
	return Valid
}
