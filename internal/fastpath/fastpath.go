// Package fastpath has the requests of the data plane that hold nothing unusual, and their answers, as a listener hands
// them to the API. The lean listener and the API both build on it, so that neither imports the other.
package fastpath

import (
	"net/netip"

	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/verify"
)

// The paths of the data plane. CheckPath is where proxies ask: it takes every method, since some ask with the method
// of the request they ask for.
const (
	VerifyPath      = "/api/v2/api-keys/verify"
	VerifyBatchPath = "/api/v2/api-keys/verify-batch"
	CheckPath       = "/check"
)

// Request is a POST to VerifyPath or VerifyBatchPath without a query, with one bearer token, of JSON as it is. All of
// its memory stays the listener's.
type Request struct {
	Batch     bool       // to VerifyBatchPath
	Token     string     // not empty
	RequestID string     // as the client gave it, "" where it gave none
	Client    netip.Addr // who asks, as far as the trusted proxies tell
	Body      []byte
	// Caller remembers the credential between the requests of a connection; nil does not.
	Caller *verify.Remembered
}

// Check is a GET of CheckPath that holds nothing unusual. All of its memory stays the listener's.
type Check struct {
	Asked     gateway.Asked // but for its Peer, which is told here
	RequestID string        // as the client gave it, "" where it gave none
	Peer      netip.Addr
	Client    netip.Addr // who asks, as far as the trusted proxies tell
}

// Reply is the answer to a Request or a Check.
type Reply struct {
	Status     int
	RequestID  string
	RetryAfter string   // "" where there is none
	Body       []byte   // JSON; the memory that was given is taken again
	Headers    []Header // of a check alone; the memory too
}

// Header is one field of an answer, its name as net/http spells it.
type Header struct{ Name, Value string }
