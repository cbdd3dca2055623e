package control

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/store"
)

// Idempotency identifies a repeated request. The zero value identifies none.
type Idempotency struct {
	// Key is the client's Idempotency-Key; "" for none.
	Key string
	// Material comes from the credential of the request. Without it no value is kept, hence none is told again.
	Material keyfmt.Material
}

// once is a request that happens once, however often it is sent.
type once struct {
	Idempotency
	workspace id.Workspace
	operation string // and the object that it is about
	asked     any    // all that was asked
}

// scope is where the client's key is unique: the same person has others in another workspace, and for another operation
// or object.
func (o once) scope(a *actor) string {
	if o.operation == "" {
		return string(o.workspace) + " " + a.id()
	}
	return string(o.workspace) + " " + a.id() + " " + o.operation
}

func (o once) hash() [32]byte {
	raw, err := json.Marshal(o.asked)
	if err != nil { // nothing in it can fail to marshal but metadata, which was read before
		panic(fmt.Errorf("control: hash the request: %w", err))
	}
	return sha256.Sum256(raw)
}

var idempotencyForm = regexp.MustCompile(`^[!-~]{1,255}$`)

// once runs do, or answers the outcome of an earlier request under the same Idempotency-Key. The caller's right to
// ask has been checked. For a while the value is told again to the credential that asked first: it is stored sealed
// under that credential and the client's key, of which only a hash is stored. Every other credential of the same
// actor gets the key without its value.
func (s *Service) once(tx *store.Tx, a *actor, o once, do func() (Revealed, error)) (Revealed, error) {
	if o.Key == "" {
		return do()
	}
	if !idempotencyForm.MatchString(o.Key) {
		return Revealed{}, fault.Invalid("Idempotency-Key", "want 1 to 255 visible ASCII characters")
	}
	if err := noCredential("Idempotency-Key", o.Key); err != nil {
		return Revealed{}, err
	}
	was, err := tx.Idempotent(o.scope(a), o.Key)
	if errors.Is(err, store.ErrNotFound) {
		made, err := do()
		if err != nil {
			return Revealed{}, err
		}
		return made, s.keepOnce(tx, a, o, made)
	}
	if err != nil {
		return Revealed{}, err
	}
	if was.RequestHash != o.hash() {
		return Revealed{}, fault.New(fault.Conflict, "this Idempotency-Key was used for another request",
			fault.Detail{Field: "Idempotency-Key", Message: "was used for another request"})
	}
	return s.replay(tx, a, o, was)
}

// keepOnce keeps the request and, where its value may be told again, that too.
func (s *Service) keepOnce(tx *store.Tx, a *actor, o once, made Revealed) error {
	p := store.Replay{RequestHash: o.hash(), Key: made.Key.ID}
	if s.reveal > 0 && !o.Material.IsZero() {
		box, err := o.box()
		if err != nil {
			return err
		}
		p.Sealed = box.Seal(nil, nil, []byte(made.Secret.Reveal()), o.bound(a, &made.Key.Key))
		p.SealedUntil = tx.Now().Add(s.reveal)
	}
	return tx.PutIdempotent(o.scope(a), o.Key, p)
}

// replay answers the key as it is now, with its value where that may be told again.
func (s *Service) replay(tx *store.Tx, a *actor, o once, was store.Replay) (Revealed, error) {
	k, err := tx.Key(was.Key)
	if errors.Is(err, store.ErrNotFound) {
		return Revealed{}, fault.New(fault.Conflict, "the key that this request made has been deleted")
	}
	if err != nil {
		return Revealed{}, err
	}
	out := Revealed{Replayed: true}
	if s.mayTellAgain(a, &k, tx.Now()) {
		if out.Secret, err = o.open(a, &k, was.Sealed); err != nil {
			return Revealed{}, err
		}
	}
	out.Key, err = s.show(tx.View, k)
	return out, err
}

// mayTellAgain tells whether a value may still be shown to the caller: it works, and they could have it by rotating. A
// key that asks for its own new value once more, by the value before, is not held to the end of that one.
func (s *Service) mayTellAgain(a *actor, k *apikey.Key, now time.Time) bool {
	if !k.IsActive || k.Revoked || k.Expired(now) || s.mayGrant(a, k.Permissions, k.Permissions, whole) != nil {
		return false
	}
	own := a.key != nil && a.key.ID == k.ID
	return own || a.reaches(k, k.Made()) == nil
}

// open unseals a value. It is zero where there is none, where another credential sealed it, or where the key has
// another value now.
func (o once) open(a *actor, k *apikey.Key, sealed []byte) (keyfmt.Secret, error) {
	if len(sealed) == 0 || o.Material.IsZero() {
		return keyfmt.Secret{}, nil
	}
	box, err := o.box()
	if err != nil {
		return keyfmt.Secret{}, err
	}
	value, err := box.Open(nil, nil, sealed, o.bound(a, k))
	if err != nil {
		return keyfmt.Secret{}, nil
	}
	return keyfmt.NewSecret(string(value)), nil
}

// box seals with AES-256-GCM under a nonce by chance, which stands in front.
func (o once) box() (cipher.AEAD, error) {
	block, err := aes.NewCipher(o.Material.Key(o.Key, "keyward idempotent reveal v1"))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	box, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return box, nil
}

// bound ties a sealed value to its place, its key and its digest: it opens nowhere else, and not after the key got
// another value.
func (o once) bound(a *actor, k *apikey.Key) []byte {
	return append([]byte(o.scope(a)+"\x00"+string(k.ID)+"\x00"), k.Value.Digest.Sum[:]...)
}
