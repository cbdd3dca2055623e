package doctor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/keyfmt"
)

// Bound is a key that may get the URL from networks in which no client is. Refused lists the server's latest refusals
// of it.
type Bound struct {
	Key      keyfmt.Secret
	Networks []netip.Prefix
	Refused  func(context.Context) ([]Refused, error)
}

// Refused is one refusal: when, and the address from which the server took the key to be presented.
type Refused struct {
	At time.Time
	IP netip.Addr // the zero value where no address was told
}

const (
	unknownClients = "keys that are bound to networks are judged by another address than their client's"
	// sayClient is the remedy.
	sayClient = "have the proxy set X-Forwarded-For to the client's address, or append it, with its question to /check, " +
		"and name " +
		"the proxy's address in KEYWARD_TRUSTED_PROXIES"
)

// addresses asks with the bound key, once as it is and once with a forged address, and compares what the server took
// for the client's address with the address that this machine asked from.
func (p Probe) addresses(ctx context.Context) []Finding {
	if p.Bound.Key.IsZero() {
		return []Finding{{Warn, "gateway", "whether the proxy says the client's address was not asked",
			unknownClients + " where it does not",
			"name a file with a key that may get the URL and is bound to an address of no client, such as 192.0.2.1: " +
				"--bound-key-file, with KEYWARD_URL and KEYWARD_TOKEN"}}
	}
	before, err := p.Bound.Refused(ctx)
	if err != nil {
		return p.untold(err)
	}
	own, plain, err := p.askBound(ctx, nil)
	if err != nil {
		return []Finding{unreached(err)}
	}
	forged := p.Bound.Networks[0].Addr().String()
	_, status, err := p.askBound(ctx, http.Header{
		"X-Forwarded-For": {forged}, "Forwarded": {"for=" + forged}, "X-Real-Ip": {forged}, "X-Client-Ip": {forged},
	})
	switch {
	case err != nil:
		return []Finding{unreached(err)}
	case plain < 400:
		return []Finding{{Warn, "gateway", fmt.Sprintf("answers %d to the bound key without a forged address", plain),
			"this key shows nothing about addresses", "bind it to an address of no client, such as 192.0.2.1"}}
	case status < 400:
		return []Finding{{Fail, "gateway", fmt.Sprintf("answers %d to a client that says X-Forwarded-For: %s itself", status,
			forged),
			"each client has the address that it likes, and keys that are bound to networks are bound to nothing",
			"have the proxy overwrite X-Forwarded-For, as the recipes do, or append to it, and name only proxies in " +
				"KEYWARD_TRUSTED_PROXIES"}}
	}
	seen, err := p.refusedSince(ctx, before)
	if err != nil {
		return p.untold(err)
	}
	return []Finding{judgeAddresses(own, seen[0].IP, seen[1].IP)}
}

// judgeAddresses compares the address that this machine asked from with those that the server took it for, without and
// with a forged one.
func judgeAddresses(own, plain, forged netip.Addr) Finding {
	said := fmt.Sprintf("has the server take %s for the client's address, and this machine asks from %s", told(plain), own)
	switch {
	case plain != forged:
		said = fmt.Sprintf("has the server take %s for the client's address, and %s where the client forges one",
			told(plain), told(forged))
		return Finding{Fail, "gateway", said, "a client changes its own address", sayClient}
	case plain == own:
		return ok("gateway", "says the client's address (%s), and believes no forged one", own)
	case plain.IsGlobalUnicast() && !plain.IsPrivate() && own.IsPrivate():
		return Finding{Warn, "gateway", said, unknownClients + " unless a translation of addresses lies in between",
			"ask from a machine that the proxy reaches without one"}
	}
	return Finding{Fail, "gateway", said, unknownClients, sayClient}
}

func told(a netip.Addr) string {
	if !a.IsValid() {
		return "no address"
	}
	return a.String()
}

// askBound asks with the bound key, and tells the address from which this machine asked.
func (p Probe) askBound(ctx context.Context, head http.Header) (own netip.Addr, status int, err error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if a, ok := c.Conn.LocalAddr().(*net.TCPAddr); ok {
			own = a.AddrPort().Addr().Unmap().WithZone("")
		}
	}})
	status, err = p.ask(ctx, p.Bound.Key.Reveal(), head)
	return own, status, err
}

// refusedSince waits for the two refusals after those before, and gives them in their order.
func (p Probe) refusedSince(ctx context.Context, before []Refused) ([]Refused, error) {
	latest := time.Time{}
	for _, r := range before {
		if r.At.After(latest) {
			latest = r.At
		}
	}
	for range 50 {
		all, err := p.Bound.Refused(ctx)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(r Refused) bool { return !r.At.After(latest) })
		if len(all) >= 2 {
			slices.SortStableFunc(all, func(a, b Refused) int { return a.At.Compare(b.At) })
			return all[:2], nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil, fmt.Errorf("it knows of no refusal of the bound key: this URL may have no rule, or the proxy asks " +
		"another server")
}

func (Probe) untold(err error) []Finding {
	return []Finding{{Warn, "gateway", "the server does not say how it saw the bound key: " + err.Error(),
		"whether the proxy says the client's address is not known",
		"set KEYWARD_URL to a node that the proxy asks, and KEYWARD_TOKEN to a service key with the scope manage"}}
}

func unreached(err error) Finding {
	return Finding{Fail, "gateway", err.Error(), "no client reaches the API",
		"see to it that this machine reaches the proxy"}
}
