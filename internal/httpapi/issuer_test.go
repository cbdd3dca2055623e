package httpapi_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/oidc"
)

// issuer is an OpenID provider: its discovery, its keys, and tokens that it has signed.
type issuer struct {
	url string
	key ed25519.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	public, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	i := &issuer{key: private}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(
			w, `{"issuer":%q,"authorization_endpoint":%[1]q,"token_endpoint":%[1]q,"jwks_uri":"%[1]s/keys"}`, i.url,
		)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(
			w, `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"1","x":"`+packed(public)+`"}]}`,
		)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func packed(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// admitted lets the issuer's tokens in.
func (i *issuer) admitted(c *httpapi.Config) {
	c.Persons = oidc.New(oidc.Config{Issuer: i.url, ClientID: "keyward", UserClaim: "sub", Now: c.Now})
}

// token is one for the user that ends then.
func (i *issuer) token(t testing.TB, user string, until time.Time) string {
	claims, err := json.Marshal(
		map[string]any{"iss": i.url, "aud": "keyward", "sub": user, "exp": until.Unix(), "iat": until.Add(-time.Hour).Unix()},
	)
	must(t, err)
	text := packed([]byte(`{"alg":"EdDSA","kid":"1"}`)) + "." + packed(claims)
	return text + "." + packed(ed25519.Sign(i.key, []byte(text)))
}
