// Package dpop owns proofs of possession (RFC 9449): whether a proof is good for a request, and the thumbprint of the
// key that signed it (RFC 7638). It does not own access tokens, nor the memory of the proofs that were seen.
package dpop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// Leeway is how far the time of a proof may lie before or after the time at which it is checked.
	Leeway = 60 * time.Second
	// MaxSize bounds the length of a proof, in bytes.
	MaxSize = 4096
	// maxID bounds the length of a proof's jti.
	maxID = 255
	// coordinate is the length of one coordinate of a point on P-256, and of each half of a signature.
	coordinate = 32
)

// Request is the request that a proof must be made for.
type Request struct {
	Method string
	// URL is the address that the client called, by the server's public URL. Query and fragment do not count.
	URL string
	// Token is the access token beside the proof, "" for a request without one.
	Token string
}

// Proof is a proof that is good: its key signed it for the request, within Leeway of now.
type Proof struct {
	Thumbprint string // of the key (RFC 7638), 43 characters of base64url
	ID         string // jti: the caller refuses an ID that this key has used before
	IssuedAt   time.Time
}

// Check verifies a proof in the order of RFC 9449, section 4.3. The only algorithm is ES256. The error says in one
// sentence which rule the proof breaks; it repeats no part of the proof.
func Check(proof string, r Request, now time.Time) (Proof, error) {
	if len(proof) > MaxSize {
		return Proof{}, fmt.Errorf("the proof is longer than %d bytes", MaxSize)
	}
	parts := strings.Split(proof, ".")
	if len(parts) != 3 {
		return Proof{}, errors.New("the proof is not a signed JWT in compact form")
	}
	header, err := object(parts[0], "header")
	if err != nil {
		return Proof{}, err
	}
	key, thumbprint, err := header.key()
	if err != nil {
		return Proof{}, err
	}
	if !signed(key, parts) {
		return Proof{}, errors.New("the signature of the proof does not fit its key")
	}
	claims, err := object(parts[1], "payload")
	if err != nil {
		return Proof{}, err
	}
	out, err := claims.check(r, now)
	out.Thumbprint = thumbprint
	return out, err
}

// members is a JSON object, in which each name stands once.
type members map[string]jsontext.Value

// encoding is base64url without padding; Strict refuses a second spelling of the same bytes.
var encoding = base64.RawURLEncoding.Strict()

func object(part, name string) (members, error) {
	text, err := encoding.DecodeString(part)
	if err != nil {
		return nil, fmt.Errorf("the %s of the proof is not base64url", name)
	}
	var m members
	if err := json.Unmarshal(text, &m); err != nil || m == nil {
		return nil, fmt.Errorf("the %s of the proof is not a JSON object", name)
	}
	return m, nil
}

// text reads a member that is a string; ok is false for every other value and where there is none.
func (m members) text(name string) (s string, ok bool) {
	v := m[name]
	return s, v.Kind() == '"' && json.Unmarshal(v, &s) == nil
}

// private are the members of a JWK that belong to private and symmetric keys (RFC 7518, section 6).
var private = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// key reads the public key of a header.
func (m members) key() (*ecdsa.PublicKey, string, error) {
	if typ, _ := m.text("typ"); typ != "dpop+jwt" {
		return nil, "", errors.New("the typ of the proof must be dpop+jwt")
	}
	if alg, _ := m.text("alg"); alg != "ES256" {
		return nil, "", errors.New("the alg of the proof must be ES256")
	}
	if _, critical := m["crit"]; critical { // RFC 7515, section 4.1.11: an extension that is not understood is refused
		return nil, "", errors.New("the proof names critical extensions, and none is known")
	}
	var jwk members
	if err := json.Unmarshal(m["jwk"], &jwk); err != nil || jwk == nil {
		return nil, "", errors.New("the jwk of the proof must be a public key")
	}
	for _, name := range private {
		if _, there := jwk[name]; there {
			return nil, "", errors.New("the jwk of the proof holds a private key")
		}
	}
	kty, _ := jwk.text("kty")
	crv, _ := jwk.text("crv")
	if kty != "EC" || crv != "P-256" {
		return nil, "", errors.New("the jwk of the proof must be an EC key on P-256")
	}
	x, y := jwk.coordinate("x"), jwk.coordinate("y")
	point := append(append([]byte{4}, x...), y...)
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, "", errors.New("the jwk of the proof is no point on P-256")
	}
	return key, thumbprint(x, y), nil
}

// coordinate reads one coordinate in full length (RFC 7518, section 6.2.1.2); nil where it has another.
func (m members) coordinate(name string) []byte {
	s, _ := m.text(name)
	b, err := encoding.DecodeString(s)
	if err != nil || len(b) != coordinate {
		return nil
	}
	return b
}

// thumbprint is the SHA-256 thumbprint of an EC key on P-256 (RFC 7638, section 3.2): the required members in the order
// of their names, without white space.
func thumbprint(x, y []byte) string {
	text := fmt.Sprintf(
		`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, encoding.EncodeToString(x), encoding.EncodeToString(y),
	)
	sum := sha256.Sum256([]byte(text))
	return encoding.EncodeToString(sum[:])
}

// signed verifies ES256 (RFC 7518, section 3.4): the two halves of the signature over header and payload as they were
// sent.
func signed(key *ecdsa.PublicKey, parts []string) bool {
	signature, err := encoding.DecodeString(parts[2])
	if err != nil || len(signature) != 2*coordinate {
		return false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:coordinate]), new(big.Int).SetBytes(signature[coordinate:])
	return ecdsa.Verify(key, sum[:], r, s)
}

// check holds the claims against the request.
func (m members) check(r Request, now time.Time) (Proof, error) {
	var out Proof
	if htm, _ := m.text("htm"); htm != r.Method {
		return out, errors.New("the proof was made for another method (htm)")
	}
	htu, _ := m.text("htu")
	if given, ok := canonical(htu); !ok || given != mustCanonical(r.URL) {
		return out, errors.New("the proof was made for another address (htu)")
	}
	var iat float64
	if v := m["iat"]; v.Kind() != '0' || json.Unmarshal(v, &iat) != nil || math.Abs(iat) > 1<<40 {
		return out, errors.New("the proof must say when it was made (iat)")
	}
	out.IssuedAt = time.UnixMilli(int64(math.Floor(iat * 1000)))
	if now.Sub(out.IssuedAt).Abs() > Leeway {
		return out, fmt.Errorf("the proof was not made within %d seconds of now (iat)", int(Leeway/time.Second))
	}
	if out.ID, _ = m.text("jti"); out.ID == "" || len(out.ID) > maxID {
		return out, fmt.Errorf("the proof must have an id of 1 to %d bytes (jti)", maxID)
	}
	ath, given := m.text("ath")
	sum := sha256.Sum256([]byte(r.Token))
	if r.Token != "" && (!given || ath != encoding.EncodeToString(sum[:])) {
		return out, errors.New("the proof was made for another token (ath)")
	}
	return out, nil
}

// canonical writes an address as RFC 9449 (section 4.3) compares it: without query and fragment, scheme and host in
// small letters, and without the port that the scheme has by itself (RFC 3986, section 6.2).
func canonical(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return "", false
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host + path, true
}

// mustCanonical is canonical of our own address; one that cannot be read fits no proof.
func mustCanonical(address string) string {
	c, ok := canonical(address)
	if !ok {
		return "\x00"
	}
	return c
}
