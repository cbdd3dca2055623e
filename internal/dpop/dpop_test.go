package dpop_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/dpop"
	"github.com/keyward/keyward/internal/dpop/dpoptest"
)

const (
	address = "https://keys.example.com/portal/p/api/v2/api-keys"
	token   = "keyward_portaltoken_x"
)

var (
	now = time.Date(2026, time.November, 29, 12, 0, 0, 0, time.UTC)
	key = dpoptest.NewKey()
	ask = dpop.Request{Method: "POST", URL: address, Token: token}
)

type members = dpoptest.Members

// T111: the proof of RFC 9449, section 4.1, is good for its request, and its key has the thumbprint of its section
// 6.1.
func TestT111TheProofOfTheStandardIsGood(t *testing.T) {
	t.Parallel()
	const proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZl" +
		"dWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwi" +
		"aHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMU" +
		"vwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	got, err := dpop.Check(
		proof, dpop.Request{Method: "POST", URL: "https://server.example.com/token"}, time.Unix(1562262616, 0),
	)
	if err != nil {
		t.Fatal(err)
	}
	want := dpop.Proof{
		Thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", ID: "-BwC3ESc6acc2lTc", IssuedAt: time.Unix(1562262616, 0),
	}
	if !got.IssuedAt.Equal(want.IssuedAt) || got.ID != want.ID || got.Thumbprint != want.Thumbprint {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestT111AProofIsGoodForItsRequest(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(header, claims members){
		"as it is":                    func(_, _ members) {},
		"a minute old":                func(_, c members) { c["iat"] = now.Add(-dpop.Leeway).Unix() },
		"a minute ahead":              func(_, c members) { c["iat"] = now.Add(dpop.Leeway).Unix() },
		"a fraction of a second":      func(_, c members) { c["iat"] = float64(now.Unix()) + 0.25 },
		"with query and fragment":     func(_, c members) { c["htu"] = address + "?limit=5#x" },
		"capitals in the host":        func(_, c members) { c["htu"] = strings.Replace(address, "keys.", "KEYS.", 1) },
		"the port that https has":     func(_, c members) { c["htu"] = strings.Replace(address, ".com/", ".com:443/", 1) },
		"more members than needed":    func(h, c members) { h["kid"], c["exp"] = "x", 1 },
		"more members of the key":     func(h, _ members) { h["jwk"].(members)["use"] = "sig" },
		"the longest id that is kept": func(_, c members) { c["jti"] = strings.Repeat("x", 255) },
	} {
		got, err := dpop.Check(key.Proof("POST", address, token, now, change), ask, now)
		if err != nil || got.Thumbprint != key.Thumbprint() {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// T111: each of the rules of RFC 9449, section 4.3, is a refusal of its own.
func TestT111EveryRuleOfAProofHolds(t *testing.T) {
	t.Parallel()
	other := dpoptest.NewKey()
	set := func(part, name string, value any) func(header, claims members) {
		return func(h, c members) {
			in := map[string]members{"header": h, "claims": c, "jwk": h["jwk"].(members)}[part]
			if in[name] = value; value == nil {
				delete(in, name)
			}
		}
	}
	cases := map[string]struct {
		change func(header, claims members)
		says   string
	}{
		"no typ":                  {set("header", "typ", nil), "typ"},
		"typ of an access token":  {set("header", "typ", "at+jwt"), "typ"},
		"no algorithm":            {set("header", "alg", nil), "ES256"},
		"alg none":                {set("header", "alg", "none"), "ES256"},
		"a symmetric algorithm":   {set("header", "alg", "HS256"), "ES256"},
		"critical extensions":     {set("header", "crit", []string{"exp"}), "critical"},
		"no key":                  {set("header", "jwk", nil), "public key"},
		"a private key":           {set("jwk", "d", "AA"), "private"},
		"a symmetric key":         {set("jwk", "k", "AA"), "private"},
		"another kind of key":     {set("jwk", "kty", "OKP"), "P-256"},
		"another curve":           {set("jwk", "crv", "P-384"), "P-256"},
		"no coordinate":           {set("jwk", "y", nil), "point"},
		"off the curve":           {set("jwk", "y", key.JWK()["x"]), "point"},
		"a padded coordinate":     {set("jwk", "x", key.JWK()["x"].(string)+"="), "point"},
		"somebody else's key":     {set("header", "jwk", other.JWK()), "signature"},
		"another method":          {set("claims", "htm", "GET"), "htm"},
		"the method in small":     {set("claims", "htm", "post"), "htm"},
		"no method":               {set("claims", "htm", nil), "htm"},
		"another path":            {set("claims", "htu", address+"/x"), "htu"},
		"another host":            {set("claims", "htu", strings.Replace(address, "keys", "evil", 1)), "htu"},
		"another port":            {set("claims", "htu", strings.Replace(address, ".com/", ".com:8443/", 1)), "htu"},
		"another scheme":          {set("claims", "htu", strings.Replace(address, "https", "http", 1)), "htu"},
		"a path alone":            {set("claims", "htu", "/portal/p/api/v2/api-keys"), "htu"},
		"a name before the host":  {set("claims", "htu", strings.Replace(address, "//", "//a@", 1)), "htu"},
		"no address":              {set("claims", "htu", nil), "htu"},
		"too old":                 {set("claims", "iat", now.Add(-dpop.Leeway).Unix()-1), "iat"},
		"from too far ahead":      {set("claims", "iat", now.Add(dpop.Leeway).Unix()+1), "iat"},
		"no time":                 {set("claims", "iat", nil), "iat"},
		"a time in words":         {set("claims", "iat", "now"), "iat"},
		"a time beyond all":       {set("claims", "iat", 1e300), "iat"},
		"no id":                   {set("claims", "jti", nil), "jti"},
		"an empty id":             {set("claims", "jti", ""), "jti"},
		"an id that is too long":  {set("claims", "jti", strings.Repeat("x", 256)), "jti"},
		"no token's hash":         {set("claims", "ath", nil), "ath"},
		"the hash of another one": {set("claims", "ath", "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"), "ath"},
	}
	for name, c := range cases {
		_, err := dpop.Check(key.Proof("POST", address, token, now, c.change), ask, now)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want a refusal that says %s", name, err, c.says)
		}
	}
}

func TestT111ATextThatIsNoProofIsRefused(t *testing.T) {
	t.Parallel()
	good := key.Proof("POST", address, token, now)
	parts := strings.Split(good, ".")
	claims := `{"htm":"GET","htm":"POST","htu":"` + address + `","iat":` + "1" + `,"jti":"x"}`
	header := members{"typ": "dpop+jwt", "alg": "ES256", "jwk": key.JWK()}
	for name, proof := range map[string]string{
		"nothing": "", "two parts": parts[0] + "." + parts[1], "four parts": good + ".x",
		"no signature":          parts[0] + "." + parts[1] + ".",
		"a signature cut short": good[:len(good)-4], "padding": good + "==", "not base64": "é" + good,
		"a list for a header":  key.Sign(`[]`, members{}),
		"null for a header":    key.Sign(`null`, members{}),
		"null for claims":      key.Sign(header, `null`),
		"a member twice":       key.Sign(header, claims),
		"not Unicode":          key.Sign(header, "{\"htm\":\"\xff\"}"),
		"longer than the most": good + strings.Repeat("x", dpop.MaxSize),
		"the zero signature":   parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86),
		"the claims exchanged": parts[0] + "." + strings.Split(key.Proof("POST", address, token, now),
			".")[1] + "." + parts[2],
	} {
		if _, err := dpop.Check(proof, ask, now); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzAProofNeverPanics(f *testing.F) {
	f.Add(key.Proof("POST", address, token, now))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, proof string) {
		got, err := dpop.Check(proof, ask, now)
		if (err == nil) != (got.Thumbprint != "" && got.ID != "" && !got.IssuedAt.IsZero()) && err == nil {
			t.Errorf("%q: %+v", proof, got)
		}
	})
}
