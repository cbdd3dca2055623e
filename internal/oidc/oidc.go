// Package oidc owns the trust in one OpenID provider: discovery, the authorization code flow with PKCE, and the check
// that a token was made by the provider, for us, now, for one of our users. It does not own membership (control), nor
// cookies and pages (signin).
package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
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

const (
	findTimeout = 5 * time.Second  // for the provider to say where everything is
	codeTimeout = 10 * time.Second // for it to redeem a code
	findAgain   = time.Hour        // keys that it has withdrawn are forgotten then, at the latest
	patience    = time.Second      // for it to say anew what is known, but old
	retryAfter  = 5 * time.Second  // after it did not answer
	retryAtMost = 5 * time.Minute  // after it did not answer again and again
)

// ErrDown says that the provider did not answer, or not as one.
var ErrDown = errors.New("the OpenID provider does not answer")

// Provider is an OpenID provider. It is looked for when it is first needed, so that a start does not depend on it. It
// is safe for concurrent use.
type Provider struct {
	Config
	client *http.Client
	guard  *guard

	mu       sync.Mutex
	found    *found
	looking  chan struct{} // closed when the look that is under way ends; nil where none is
	failed   time.Time     // when it was last looked for in vain
	failures int           // looks in vain, one after the other
	cause    error
}

// found holds the result of discovery (OpenID Connect Discovery 1.0).
type found struct {
	at       time.Time
	endpoint oauth2.Endpoint
	verifier *oidc.IDTokenVerifier // knows the keys, and asks for them anew when it meets one that it does not know
	tellsISS bool                  // answers carry the issuer (RFC 9207)
}

// New makes a provider. It sends no request.
func New(c Config) *Provider {
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	g := &guard{base: c.Transport, now: c.Now}
	return &Provider{Config: c, guard: g, client: &http.Client{Transport: g, Timeout: codeTimeout}}
}

// find returns the known provider, and refreshes it if it is old. Callers share the one request under way: they wait
// for it if nothing is known yet, and for at most `patience` if the known provider is old. So a provider that answers
// has a withdrawn key forgotten in time, and one that hangs blocks no caller. After a failed request there is none
// for a while.
func (p *Provider) find(ctx context.Context) (*found, error) {
	p.mu.Lock()
	now := p.Now()
	known, cause := p.found, p.cause
	old := known != nil && now.Sub(known.at) >= findAgain
	if (known == nil || old) && p.looking == nil && now.Sub(p.failed) >= p.pause() {
		p.looking = make(chan struct{})
		go p.look(ctx, now)
	}
	looking := p.looking
	p.mu.Unlock()
	switch {
	case known != nil && (!old || looking == nil):
		return known, nil
	case looking == nil:
		return nil, fmt.Errorf("%w: %w", ErrDown, cause)
	}
	var enough <-chan time.Time
	if old {
		enough = time.After(patience)
	}
	select {
	case <-looking:
	case <-enough:
		return known, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		return nil, fmt.Errorf("%w: %w", ErrDown, p.cause)
	}
	return p.found, nil
}

// look asks the provider and stores the answer; the lock is not held meanwhile.
func (p *Provider) look(ctx context.Context, now time.Time) {
	f, err := p.discover(ctx, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.found, p.cause, p.failures, p.failed = f, nil, 0, time.Time{}
	} else {
		p.failed, p.cause = p.Now(), err
		p.failures++
	}
	close(p.looking)
	p.looking = nil
}

// pause is how long the provider is left alone after it has not answered: twice as long each time, up to a bound.
func (p *Provider) pause() time.Duration {
	return min(retryAfter<<max(min(p.failures, 10)-1, 0), retryAtMost)
}

func (p *Provider) discover(ctx context.Context, now time.Time) (*found, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), findTimeout) // who waits longest may not be who asked first
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
	p.guard.watch(more.JWKS)
	verifier := provider.VerifierContext(oidc.ClientContext(context.Background(), p.client),
		&oidc.Config{SkipClientIDCheck: true, SupportedSigningAlgs: algorithms, Now: p.Now}) // whose audience counts is for verify to say
	return &found{at: now, endpoint: provider.Endpoint(), verifier: verifier, tellsISS: more.TellsISS}, nil
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
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret.Reveal(), Endpoint: at.endpoint, RedirectURL: redirect,
		Scopes: []string{oidc.ScopeOpenID, "profile", "email"}}
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
	claims, err := p.verify(ctx, at, raw, p.ClientID)
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
	if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < http.StatusInternalServerError {
		return fmt.Errorf("the provider refused the code: status %d, %.40q", refused.Response.StatusCode, refused.ErrorCode)
	}
	return fmt.Errorf("%w: redeem the code: %w", ErrDown, err)
}
