package oidc_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/oidc"
)

const client = "keyward"

// forger is a provider that signs any token a test asks for.
type forger struct {
	*testing.T
	*httptest.Server
	mu       sync.Mutex
	key      *rsa.PrivateKey
	kid      string
	token    string         // what the token endpoint gives
	metadata map[string]any // more of it
	jwk      map[string]any // more of its key
	asked    atomic.Int64   // for keys
	down     atomic.Bool
	offset   atomic.Int64
	diverted atomic.Pointer[func(http.ResponseWriter, *http.Request) bool] // see divert
}

// divert has answer take every request first; it reports whether it has answered.
func (f *forger) divert(answer func(http.ResponseWriter, *http.Request) bool) {
	f.diverted.Store(&answer)
}

// keys are made once: they take their time.
var keys = sync.OnceValue(func() (out [2]*rsa.PrivateKey) {
	for i := range out {
		var err error
		if out[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return out
})

func forge(t *testing.T) *forger {
	t.Helper()
	f := &forger{T: t, key: keys()[0], kid: "first", metadata: map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		m := map[string]any{
			"issuer": f.URL, "authorization_endpoint": f.URL + "/auth",
			"token_endpoint": f.URL + "/token", "jwks_uri": f.URL + "/jwks",
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
		}
		for k, v := range f.metadata {
			m[k] = v
		}
		f.write(w, m)
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		f.asked.Add(1)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.write(w, map[string]any{"keys": []any{merged(map[string]any{"kty": "RSA", "use": "sig", "kid": f.kid,
			"n": encode(f.key.N.Bytes()), "e": encode(big.NewInt(int64(f.key.E)).Bytes())}, f.jwk)}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if r.FormValue("code_verifier") == "" {
			f.Error("a code was redeemed without PKCE")
		}
		f.write(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": f.token})
	})
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		if d := f.diverted.Load(); d != nil && (*d)(w, r) {
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *forger) write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		f.Error(err)
	}
}

func (f *forger) now() time.Time       { return time.Now().Add(time.Duration(f.offset.Load())) }
func (f *forger) pass(d time.Duration) { f.offset.Add(int64(d)) }

// rotate has the provider sign with another key.
func (f *forger) rotate() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.key, f.kid = keys()[1], "second"
}

// provider is ours in front of the forger; change is on its settings.
func (f *forger) provider(change ...func(*oidc.Config)) *oidc.Provider {
	c := oidc.Config{
		Issuer: f.URL, ClientID: client, ClientSecret: keyfmt.NewSecret("s"), UserClaim: "sub", Now: f.now,
		Transport: f.Client().Transport,
	}
	for _, one := range change {
		one(&c)
	}
	return oidc.New(c)
}

type object = map[string]any

// good are the claims of a token that is.
func (f *forger) good() object {
	return object{
		"iss": f.URL, "aud": client, "sub": "ada", "iat": f.now().Unix(), "exp": f.now().Add(time.Hour).Unix(),
		"nonce": "n", "jti": "t1",
	}
}

func merged(all ...object) object {
	out := object{}
	for _, o := range all {
		for k, v := range o {
			if out[k] = v; v == nil {
				delete(out, k)
			}
		}
	}
	return out
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// sign makes a token with the provider's key, or with the key that the header names.
func (f *forger) sign(header, claims object) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	header = merged(object{"alg": "RS256", "kid": f.kid, "typ": "JWT"}, header)
	return compact(f.T, header, claims, func(input []byte) []byte {
		sum := sha256.Sum256(input)
		sig, err := rsa.SignPKCS1v15(nil, f.key, crypto.SHA256, sum[:])
		if err != nil {
			f.Fatal(err)
		}
		return sig
	})
}

func compact(t *testing.T, header, claims object, sign func([]byte) []byte) string {
	h, err1 := json.Marshal(header)
	c, err2 := json.Marshal(claims)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	input := encode(h) + "." + encode(c)
	return input + "." + encode(sign([]byte(input)))
}

// withSecret signs as with a secret that both sides share: the public key, as an attack has it.
func withSecret(secret []byte) func([]byte) []byte {
	return func(input []byte) []byte {
		m := hmac.New(sha256.New, secret)
		m.Write(input)
		return m.Sum(nil)
	}
}

// finish goes through a flow at the end of which the provider gives a token with these claims and the right nonce,
// unless they say another one.
func (f *forger) finish(p *oidc.Provider, header, claims object, change func(*oidc.Answer)) (oidc.Person, error) {
	f.Helper()
	address, flow, err := p.Begin(f.Context(), "http://127.0.0.1/back")
	if err != nil {
		return oidc.Person{}, err
	}
	u, err := url.Parse(address)
	if err != nil {
		f.Fatal(err)
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("state") != flow.State || q.Get("nonce") != flow.Nonce ||
		q.Get("response_type") != "code" {
		f.Fatalf("asked with %v", q)
	}
	token := f.sign(header, merged(f.good(), object{"nonce": flow.Nonce}, claims))
	f.mu.Lock()
	f.token = token
	f.mu.Unlock()
	a := oidc.Answer{Code: "c", State: flow.State}
	if change != nil {
		change(&a)
	}
	return p.Finish(f.Context(), "http://127.0.0.1/back", flow, a)
}
