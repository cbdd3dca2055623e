package oidc_test

import (
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/oidc"
)

func TestAnHonestAnswerGivesThePerson(t *testing.T) {
	t.Parallel()
	f := forge(t)
	who, err := f.finish(f.provider(), nil, nil, nil)
	if err != nil || who.User != "ada" || who.TokenID != "t1" {
		t.Errorf("%+v, %v", who, err)
	}
}

// T70: a forged answer signs no user in.
func TestT70AForgedAnswerIsRefused(t *testing.T) {
	t.Parallel()
	f := forge(t)
	for name, c := range map[string]struct {
		header, claims object
		answer         func(*oidc.Answer)
	}{
		"the nonce of another attempt": {claims: object{"nonce": "another"}},
		"no nonce":                     {claims: object{"nonce": nil}},
		"another audience":             {claims: object{"aud": "another"}},
		"another authorized party":     {claims: object{"aud": []string{client, "another"}, "azp": "another"}},
		"no authorized party of two":   {claims: object{"aud": []string{client, "another"}}},
		"another issuer":               {claims: object{"iss": "https://evil.example"}},
		"expired":                      {claims: object{"exp": time.Now().Add(-time.Second).Unix()}},
		"no expiry":                    {claims: object{"exp": nil}},
		"issued in the future":         {claims: object{"iat": time.Now().Add(time.Hour).Unix()}},
		"not valid yet":                {claims: object{"nbf": time.Now().Add(time.Hour).Unix()}},
		"a token of logging out": {claims: object{
			"events": object{"http://schemas.openid.net/event/backchannel-logout": object{}},
		}},
		"a logout's type":        {header: object{"typ": "logout+jwt"}},
		"alg none":               {header: object{"alg": "none"}},
		"no user":                {claims: object{"sub": nil}},
		"a user that is no text": {claims: object{"sub": 7}},
		"another state":          {answer: func(a *oidc.Answer) { a.State = "another" }},
		"no state":               {answer: func(a *oidc.Answer) { a.State = "" }},
		"the answer of another":  {answer: func(a *oidc.Answer) { a.Issuer = "https://evil.example" }},
	} {
		if who, err := f.finish(f.provider(), c.header, c.claims, c.answer); err == nil || errors.Is(err, oidc.ErrDown) {
			t.Errorf("%s: signed in %+v, %v", name, who, err)
		}
	}
}

// T70: if the provider sends its issuer, an answer without one is from another provider (RFC 9207).
func TestT70MixUp(t *testing.T) {
	t.Parallel()
	f := forge(t)
	f.metadata["authorization_response_iss_parameter_supported"] = true
	if _, err := f.finish(f.provider(), nil, nil, nil); err == nil {
		t.Error("an answer without its issuer")
	}
	if _, err := f.finish(f.provider(), nil, nil, func(a *oidc.Answer) { a.Issuer = f.URL }); err != nil {
		t.Error(err)
	}
}

// T70: a token presented as a credential has to be the provider's, for us, and current.
func TestT70AForgedTokenIsNoCredential(t *testing.T) {
	t.Parallel()
	f := forge(t)
	p := f.provider(func(c *oidc.Config) { c.Audience = "https://keyward.example" })
	check := func(token string) error {
		_, err := p.Verify(t.Context(), token)
		return err
	}
	for name, token := range map[string]string{
		"an ID token": f.sign(nil, f.good()),
		"an access token": f.sign(object{"typ": "at+jwt"},
			merged(f.good(), object{"aud": "https://keyward.example", "nonce": nil})),
		"without a type": f.sign(object{"typ": nil}, f.good()),
		"two audiences":  f.sign(nil, merged(f.good(), object{"aud": []string{"another", client}, "azp": client})),
	} {
		if err := check(token); err != nil || !oidc.LooksLikeToken(token) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := f.sign(nil, f.good())
	der, err := x509.MarshalPKIXPublicKey(&f.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(good, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	other := forge(t)
	for name, token := range map[string]string{
		"nothing":                    "",
		"no token":                   "a.b.c",
		"alg none":                   compact(t, object{"alg": "none"}, f.good(), func([]byte) []byte { return nil }),
		"alg None":                   compact(t, object{"alg": "None"}, f.good(), func([]byte) []byte { return nil }),
		"the public key as a secret": compact(t, object{"alg": "HS256", "kid": "first"}, f.good(), withSecret(der)),
		"another's signature":        other.signWith(f, 1),
		"a key that it brings along": f.sign(object{"kid": nil, "jku": "https://evil.example/jwks"},
			merged(f.good(), object{"iss": "https://evil.example"})),
		"no signature": head + "." + claims + ".",
		"other claims": head + "." +
			encode([]byte(`{"iss":"`+f.URL+`","aud":"keyward","sub":"root","exp":99999999999}`)) + "." + signature,
		"another audience": f.sign(nil, merged(f.good(), object{"aud": "another"})),
		"another issuer":   f.sign(nil, merged(f.good(), object{"iss": other.URL})),
		"expired":          f.sign(nil, merged(f.good(), object{"exp": f.now().Add(-time.Second).Unix()})),
		"a logout":         f.sign(object{"typ": "logout+jwt"}, f.good()),
		"very long":        f.sign(nil, merged(f.good(), object{"x": strings.Repeat("x", 9000)})),
	} {
		if err := check(token); err == nil || errors.Is(err, oidc.ErrDown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// signWith signs another provider's claims with the i-th key, under the name of its first.
func (f *forger) signWith(of *forger, i int) string {
	f.key, f.kid = keys()[i], of.kid
	return f.sign(nil, of.good())
}

// T70: a new key is taken when a token comes that it has signed; one that was withdrawn is forgotten within the hour.
func TestT70KeysRotate(t *testing.T) {
	t.Parallel()
	f := forge(t)
	p := f.provider()
	before := f.sign(nil, merged(f.good(), object{"exp": f.now().Add(9 * time.Hour).Unix()}))
	if _, err := p.Verify(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	f.rotate()
	f.pass(time.Minute)
	after := f.sign(nil, merged(f.good(), object{"exp": f.now().Add(9 * time.Hour).Unix()}))
	if _, err := p.Verify(t.Context(), after); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if _, err := p.Verify(t.Context(), before); err == nil {
		t.Error("the old key is good still, after the new ones were read")
	}
	quiet := f.provider()
	f.mu.Lock()
	f.key, f.kid = keys()[0], "first"
	f.mu.Unlock()
	if _, err := quiet.Verify(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	f.rotate()
	f.pass(time.Hour)
	if _, err := quiet.Verify(t.Context(), before); err == nil {
		t.Error("a key that was withdrawn an hour ago is good still")
	}
}

func TestInventedTokensDoNotHaveUsAskTheProviderAgainAndAgain(t *testing.T) {
	t.Parallel()
	f := forge(t)
	p := f.provider()
	for range 20 {
		if _, err := p.Verify(t.Context(), f.sign(object{"kid": "invented"}, f.good())); err == nil {
			t.Fatal("an unknown key")
		}
	}
	if n := f.asked.Load(); n != 1 {
		t.Errorf("asked %d times for the keys", n)
	}
	for range 20 {
		_, _ = p.Verify(
			t.Context(), f.sign(object{"kid": "invented"}, merged(f.good(), object{"iss": "https://evil.example"})),
		)
	}
	if n := f.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestAProviderThatIsDownIsToldApartAndFoundOnceItIsBack(t *testing.T) {
	t.Parallel()
	f := forge(t)
	f.down.Store(true)
	p := f.provider()
	token := f.sign(nil, merged(f.good(), object{"exp": f.now().Add(9 * time.Hour).Unix()}))
	if _, _, err := p.Begin(t.Context(), "http://127.0.0.1/back"); !errors.Is(err, oidc.ErrDown) {
		t.Errorf("down: %v", err)
	}
	f.down.Store(false)
	if _, err := p.Verify(t.Context(), token); !errors.Is(err, oidc.ErrDown) {
		t.Errorf("looked for again at once: %v", err)
	}
	f.pass(5 * time.Second)
	if _, err := p.Verify(t.Context(), token); err != nil {
		t.Errorf("back: %v", err)
	}
	f.down.Store(true)
	f.pass(2 * time.Hour)
	if _, err := p.Verify(t.Context(), token); err != nil {
		t.Errorf("what is known of one that is down holds: %v", err)
	}
}

func TestADocumentOfAnotherIssuerIsNotBelievedT70(t *testing.T) {
	t.Parallel()
	f := forge(t)
	f.metadata["issuer"] = "https://evil.example"
	if _, err := f.provider().Verify(t.Context(), f.sign(nil, f.good())); !errors.Is(err, oidc.ErrDown) {
		t.Errorf("%v", err)
	}
}

// T70: an unverified address identifies no user, and a claim has to fit.
func TestT70WhatAClaimHasToBeForAUser(t *testing.T) {
	t.Parallel()
	f := forge(t)
	byMail := f.provider(func(c *oidc.Config) { c.UserClaim = "email" })
	for name, c := range map[string]struct {
		p      *oidc.Provider
		claims object
		want   string // the user, or a part of the refusal
	}{
		"verified":           {byMail, object{"email": "ada@example.org", "email_verified": true}, "ada@example.org"},
		"not verified":       {byMail, object{"email": "ada@example.org", "email_verified": false}, "not verified"},
		"verified as a text": {byMail, object{"email": "ada@example.org", "email_verified": "true"}, "not verified"},
		"nothing said":       {byMail, object{"email": "ada@example.org"}, "not verified"},
		"no address":         {byMail, object{"email_verified": true}, "has no email"},
		"auth0's": {f.provider(), object{"sub": "auth0|5f7c8ec7c33c6c004bbafe82"},
			"auth0|5f7c8ec7c33c6c004bbafe82"},
		"a blank":  {f.provider(), object{"sub": "ada lovelace"}, "cannot be a user's id"},
		"a path":   {f.provider(), object{"sub": ".."}, "cannot be a user's id"},
		"too long": {f.provider(), object{"sub": strings.Repeat("a", 256)}, "cannot be a user's id"},
	} {
		who, err := c.p.Verify(t.Context(), f.sign(nil, merged(f.good(), c.claims)))
		var refusal oidc.Refusal
		if err != nil && (!errors.As(err, &refusal) || !strings.Contains(err.Error(), c.want)) ||
			err == nil && who.User != c.want {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
}
