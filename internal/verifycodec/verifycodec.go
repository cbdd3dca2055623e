// Package verifycodec owns the bytes of verify and verify-batch: reading a question and writing a verdict, on the
// path of every request of a platform. It does not own the meaning of a question to the engine (verify), nor its
// transport (httpapi).
//
// There are two readers and two writers. The plain reader takes, without allocating, the text that nearly every
// client sends; on unusual text, right or wrong, it gives up, and the strict reader (strictjson, over the shapes of
// wire) reads the same bytes and returns the values or the error. A fuzz test holds that the strict reader takes
// every text of the plain one, with the same values; a property test holds that both writers write the same bytes.
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
