// Package oidc owns the trust in one OpenID provider: discovery, the authorization code flow with PKCE, and the check
// that a token was made by the provider, for us, now, for one of our users. It does not own membership (control), nor
// cookies and pages (signin).
package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/keyward/keyward/internal/keyfmt"
)

// Config names a provider, and us in front of it.
type Config struct {
	Issuer       string
	ClientID     string
	ClientSecret keyfmt.Secret // zero for a public client, which PKCE alone protects
	UserClaim    string        // the claim that is the user's id
	Audience     string        // besides ClientID, for whom access tokens may be made; "" for none
	Now          func() time.Time
	Transport    http.RoundTripper // nil is http.DefaultTransport
}

// codeTimeout is how long the provider may take to redeem a code.
const codeTimeout = 10 * time.Second

// ErrDown says that the provider did not answer, or not as one.
var ErrDown = errors.New("the OpenID provider does not answer")

// Provider is an OpenID provider. It is looked for when it is first needed, so that a start does not depend on it. It
// is safe for concurrent use.
type Provider struct {
	Config
	client    *http.Client
	discovery *lookup[*found]
	keys      *lookup[keySet]
}

// found holds the result of discovery (OpenID Connect Discovery 1.0).
type found struct {
	endpoint oauth2.Endpoint
	jwks     string
	tellsISS bool // answers carry the issuer (RFC 9207)
}

// New makes a provider. It sends no request.
func New(c Config) *Provider {
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	p := &Provider{Config: c, client: &http.Client{Transport: guard{c.Transport}, Timeout: codeTimeout}}
	p.discovery = &lookup[*found]{ask: p.discover, now: c.Now}
	p.keys = &lookup[keySet]{ask: p.fetchKeys, now: c.Now}
	return p
}

// find returns where the provider's endpoints are.
func (p *Provider) find(ctx context.Context) (*found, error) {
	at, err := p.discovery.get(ctx)
	if err != nil {
		return nil, err
	}
	return at.value, nil
}

// discover asks the provider for its endpoints.
func (p *Provider) discover(ctx context.Context) (*found, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.Issuer)
	if err != nil {
		return nil, err
	}
	var more struct {
		JWKS     string `json:"jwks_uri"`
		TellsISS bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, err
	}
	return &found{endpoint: provider.Endpoint(), jwks: more.JWKS, tellsISS: more.TellsISS}, nil
}

// Flow is one attempt to sign in. Its browser keeps it, and it is secret to others.
type Flow struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
}

// Begin returns the address at which the provider asks its user, and the values that Finish needs. redirect is the
// address to which the provider sends the browser back.
func (p *Provider) Begin(ctx context.Context, redirect string) (address string, f Flow, err error) {
	at, err := p.find(ctx)
	if err != nil {
		return "", f, err
	}
	// A verifier of PKCE is 256 random bits in 43 letters, which suits a state and a nonce, too.
	f = Flow{State: oauth2.GenerateVerifier(), Nonce: oauth2.GenerateVerifier(), Verifier: oauth2.GenerateVerifier()}
	address = p.oauth(at, redirect).AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier))
	return address, f, nil
}

func (p *Provider) oauth(at *found, redirect string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret.Reveal(), Endpoint: at.endpoint, RedirectURL: redirect,
		Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}
}

// Answer holds the parameters with which the provider sends the browser back.
type Answer struct {
	Code   string
	State  string
	Issuer string // RFC 9207; "" where it does not tell
}

// Finish redeems the code of an answer to the flow, and gives the person that the provider vouches for. ErrDown is the
// provider's failure; a *Refusal is for the person to read; every other error is an answer that is not to be trusted.
func (p *Provider) Finish(ctx context.Context, redirect string, f Flow, a Answer) (Person, error) {
	at, err := p.find(ctx)
	if err != nil {
		return Person{}, err
	}
	switch {
	case f.State == "" || !keyfmt.NewSecret(f.State).Equal(keyfmt.NewSecret(a.State)):
		return Person{}, errors.New("the answer belongs to another attempt, or to another browser")
	case a.Issuer != "" && a.Issuer != p.Issuer, a.Issuer == "" && at.tellsISS:
		return Person{}, errors.New("the answer comes from another provider (RFC 9207)")
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), codeTimeout)
	defer cancel()
	token, err := p.oauth(at, redirect).Exchange(ctx, a.Code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return Person{}, exchangeError(err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return Person{}, errors.New("the provider gave no ID token")
	}
	claims, err := p.verify(ctx, raw, p.ClientID)
	if err != nil {
		return Person{}, err
	}
	if claims.Nonce == "" || claims.Nonce != f.Nonce {
		return Person{}, errors.New("the ID token belongs to another attempt: the nonce differs")
	}
	return p.person(claims)
}

// exchangeError tells a refused code from a provider that did not answer. The provider's text is not repeated.
func exchangeError(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil &&
		refused.Response.StatusCode < http.StatusInternalServerError {
		return fmt.Errorf("the provider refused the code: status %d, %.40q", refused.Response.StatusCode, refused.ErrorCode)
	}
	return fmt.Errorf("%w: redeem the code: %w", ErrDown, err)
}
