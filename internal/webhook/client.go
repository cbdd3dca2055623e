package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/keyward/keyward/internal/notice"
)

const (
	connectTime   = 5 * time.Second
	maxHeaders    = 16 << 10
	idlePerHost   = 2
	idleTime      = 30 * time.Second
	slowerThan    = 2 * time.Second // an attempt that lasts longer takes a place among the slow ones next time
	userAgent     = "Keyward-Webhook/1"
	contentType   = "application/json"
	idleInAll     = 100
	minTLSVersion = tls.VersionTLS12
)

// errRefused says that a host has an address to which nothing is sent.
var errRefused = errors.New("nothing is sent to this address")

// client sends over TLS, or where tls is false over plain HTTP to the allowed networks alone.
type client struct {
	http *http.Client
}

// newClient makes a client that asks for each address at the moment of the connection, when its host's name has been
// resolved: a name that has another address at the next look does not help. It follows no redirect and knows no proxy.
func (s *Sender) newClient(overTLS bool) client {
	dialer := &net.Dialer{
		Timeout: connectTime, Resolver: s.Resolver,
		Control: func(_, address string, _ syscall.RawConn) error { return s.admit(address, overTLS) },
	}
	return client{&http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, DisableCompression: true,
			TLSClientConfig:     &tls.Config{MinVersion: minTLSVersion, RootCAs: s.Roots},
			TLSHandshakeTimeout: connectTime, MaxResponseHeaderBytes: maxHeaders,
			MaxIdleConns: idleInAll, MaxIdleConnsPerHost: idlePerHost, IdleConnTimeout: idleTime,
		},
	}}
}

// admit refuses a connection to an address that is not for notices.
func (s *Sender) admit(address string, overTLS bool) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !s.Networks.Admits(a.Addr(), overTLS) {
		return errRefused
	}
	return nil
}

// outcome is the end of an attempt.
type outcome struct {
	status int64
	failed string // the class of a failure; "" for a delivery
}

// patience is how long an attempt goes on once this process stops, so that a stop repeats few notices.
const patience = 2 * time.Second

// attemptContext ends with the time of an attempt, and a little after a stop.
func (s *Sender) attemptContext(stop context.Context) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(stop), s.Pace.Attempt)
	forget := context.AfterFunc(stop, func() {
		select {
		case <-time.After(patience):
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		forget()
		cancel()
	}
}

// post makes one attempt. Of the answer it reads the head alone.
func (s *Sender) post(ctx context.Context, e *notice.Endpoint, d *notice.Delivery, at time.Time,
	secrets ...[]byte) outcome {
	ctx, cancel := s.attemptContext(ctx)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, strings.NewReader(d.Body))
	if err != nil {
		return outcome{failed: notice.ErrConnect}
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", userAgent)
	r.Header.Set(notice.HeaderID, d.Event)
	r.Header.Set(notice.HeaderTimestamp, notice.Timestamp(at))
	r.Header.Set(notice.HeaderSignature, notice.Signature(d.Event, at, d.Body, secrets...))
	by := s.open
	if r.URL.Scheme == "http" {
		by = s.plain
	}
	answer, err := by.http.Do(r)
	if err != nil {
		return outcome{failed: classOf(err)}
	}
	_ = answer.Body.Close() // a body that has not come ends with its connection
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return outcome{status: int64(code)}
	case code >= 300 && code < 400:
		return outcome{int64(code), notice.ErrRedirect}
	default:
		return outcome{int64(code), notice.ErrStatus}
	}
}

// classOf names the kind of an error; its text, which may come from the other side, is not kept.
func classOf(err error) string {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, errRefused):
		return notice.ErrAddress
	case errors.As(err, &dns) && !dns.IsTimeout:
		return notice.ErrResolve
	case errors.As(err, &record), errors.As(err, &alert), errors.As(err, &unknown), errors.As(err, &host),
		errors.As(err, &invalid), errors.As(err, &verification):
		return notice.ErrTLS
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return notice.ErrTimeout
	}
	return notice.ErrConnect
}
