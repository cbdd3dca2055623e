// Package dpoptest owns a client that makes proofs of possession (RFC 9449), for tests. A test changes header and
// claims before they are signed, to make the proofs that no honest client makes.
package dpoptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// Key is a client's key.
type Key struct{ *ecdsa.PrivateKey }

// NewKey makes a key on P-256.
func NewKey() Key {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return Key{k}
}

// Members are a header or the claims of a proof.
type Members map[string]any

// JWK is the public key as a proof shows it.
func (k Key) JWK() Members {
	point, err := k.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return Members{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
}

// Thumbprint is that of the public key (RFC 7638).
func (k Key) Thumbprint() string {
	m := k.JWK()
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + m["x"].(string) + `","y":"` + m["y"].(string) + `"}`))
	return b64(sum[:])
}

// Proof makes a good proof for a request, after change has had its way with it. token is "" for none.
func (k Key) Proof(method, url, token string, at time.Time, change ...func(header, claims Members)) string {
	header := Members{"typ": "dpop+jwt", "alg": "ES256", "jwk": k.JWK()}
	claims := Members{"htm": method, "htu": url, "iat": at.Unix(), "jti": rand.Text()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = b64(sum[:])
	}
	for _, c := range change {
		c(header, claims)
	}
	return k.Sign(header, claims)
}

// Sign signs any header and claims with ES256.
func (k Key) Sign(header, claims any) string {
	text := b64(marshal(header)) + "." + b64(marshal(claims))
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, k.PrivateKey, sum[:])
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + b64(signature)
}

func marshal(v any) []byte {
	if raw, ok := v.(string); ok {
		return []byte(raw)
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
