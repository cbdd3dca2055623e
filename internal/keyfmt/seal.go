package keyfmt

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// ErrUnseal says that a text was sealed under a pepper that is not known here, or was changed.
var ErrUnseal = errors.New("sealed under another pepper, or changed")

// sealing begins what the key of a seal is derived from. It holds NUL, which no value of a key does: no digest that is
// kept is such a key.
const sealing = "keyward seal v1\x00"

// Seal encrypts what has to be read again, with AES-256-GCM under a key that is derived from the current pepper for the
// purpose. about is bound to it. Without a pepper it returns the text as it is, and NoPepper.
func (d *Digester) Seal(purpose string, plain, about []byte) (PepperID, []byte, error) {
	if d.current.macs == nil {
		return NoPepper, plain, nil
	}
	box, err := d.current.box(purpose)
	if err != nil {
		return "", nil, err
	}
	return d.current.id, box.Seal(nil, nil, plain, about), nil
}

// Unseal is the text that Seal was given, under any of the peppers that are known here.
func (d *Digester) Unseal(p PepperID, purpose string, sealed, about []byte) ([]byte, error) {
	if p == NoPepper {
		return sealed, nil
	}
	for _, known := range append([]pepper{d.current}, d.previous...) {
		if known.id != p || known.macs == nil {
			continue
		}
		box, err := known.box(purpose)
		if err != nil {
			return nil, err
		}
		if plain, err := box.Open(nil, nil, sealed, about); err == nil {
			return plain, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", purpose, ErrUnseal)
}

// box seals under a nonce by chance, which stands in front.
func (p pepper) box(purpose string) (cipher.AEAD, error) {
	key := p.digest(sealing + purpose)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
