package verifier

import "github.com/keyward/keyward/internal/verify"

// Engine is the engine that decides now.
func (v *Verifier) Engine() *verify.Engine { return v.desks.Load().Engine }
