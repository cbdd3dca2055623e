// Package verifycodec owns the bytes of verify and verify-batch: how a question is read and how a verdict is written, on the way that
// every request of a platform takes. It does not own what a question means to the engine (verify), nor how it travels (httpapi).
//
// There are two readers and two writers, and each pair is one. The plain reader takes, without allocating, the text that nearly
// every client sends; on anything unusual, right or wrong, it gives up, and the strict one (strictjson, over the shapes of wire)
// reads the same bytes and gives the values or the error. A fuzz test holds that what the plain reader takes the strict one takes,
// with the same values; a property test holds that both writers write the same bytes.
package verifycodec

import (
	"sync/atomic"

	"github.com/keyward/keyward/internal/perm"
)

// Bounds of a question, and of a batch of them.
const (
	MaxBatch = 1000
	MaxCost  = 1000
)

// Codec reads questions and writes verdicts over one catalogue. It is safe for concurrent use.
type Codec struct {
	catalogue *perm.Catalogue
	lists     atomic.Pointer[map[perm.Set][]byte] // permission lists as they are written; see list
}

// New makes a codec.
func New(c *perm.Catalogue) *Codec { return &Codec{catalogue: c} }
