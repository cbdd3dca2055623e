package oidc_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"

	"github.com/keyward/keyward/internal/oidc"
)

// T70: a key checks signatures where it is made for that, and long enough; its signature is good in every case here.
func TestT70OnlyAKeyForSignaturesOfEnoughBitsChecksOne(t *testing.T) {
	t.Parallel()
	made := func(bits int) *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	long := keys()[0]
	for name, c := range map[string]struct {
		key  *rsa.PrivateKey
		jwk  object
		good bool
	}{
		"for signatures":     {long, object{"use": "sig"}, true},
		"no use":             {long, object{"use": nil}, true},
		"key_ops of both":    {long, object{"key_ops": []string{"sign", "verify"}}, true},
		"no modulus":         {long, object{"n": "?"}, false},
		"for encryption":     {long, object{"use": "enc"}, false},
		"another use":        {long, object{"use": "tls"}, false},
		"key_ops of another": {long, object{"use": nil, "key_ops": []string{"encrypt"}}, false},
		"1024 bits":          {made(1024), nil, false},
		"2040 bits":          {made(2040), nil, false},
	} {
		f := forge(t)
		f.key, f.jwk = c.key, c.jwk
		_, err := f.provider().Verify(t.Context(), f.sign(nil, f.good()))
		if (err == nil) != c.good || errors.Is(err, oidc.ErrDown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
