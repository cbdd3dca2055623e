package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

// algorithms are those with a public key. "none" and those with a shared secret are not among them.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// maxToken bounds the size of a token that is parsed at all.
const maxToken = 8 << 10

// Person is a user whom the provider vouches for.
type Person struct {
	User    string    // fits a user's id
	TokenID string    // the provider's name for the token, "" for none
	Until   time.Time // when the token ends
}

// Refusal is a sentence for the person after a failed sign-in.
type Refusal string

// Error is the sentence.
func (r Refusal) Error() string { return string(r) }

// claims are the members read from a token, registered names first (RFC 7519, OpenID Connect Core 1.0).
type claims struct {
	Issuer     string          `json:"iss"`
	Expires    float64         `json:"exp"`
	Issued     float64         `json:"iat"`
	Nonce      string          `json:"nonce"`
	Party      string          `json:"azp"`
	ID         string          `json:"jti"`
	Events     json.RawMessage `json:"events"`
	EmailGood  json.RawMessage `json:"email_verified"`
	Audience   []string        `json:"-"`
	everything map[string]any  `json:"-"`
}

// LooksLikeToken tells whether a credential has the form of a JWT in compact form, of which no key and no session's
// token has it.
func LooksLikeToken(s string) bool {
	return len(s) <= maxToken && keyfmt.LooksLikeJWT(s)
}

// Verify returns the person for whom the provider made the presented token: an ID token for us, or an access token
// (RFC 9068) whose audience we are. ErrDown is the provider's failure; every other error says that the token is not
// good.
func (p *Provider) Verify(ctx context.Context, raw string) (Person, error) {
	if err := p.plausible(raw); err != nil {
		return Person{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	p.discovery.refresh(ctx)
	c, err := p.verify(ctx, raw, p.audiences()...)
	if err != nil {
		return Person{}, err
	}
	return p.person(c)
}

func (p *Provider) audiences() []string {
	if p.Audience == "" {
		return []string{p.ClientID}
	}
	return []string{p.ClientID, p.Audience}
}

// plausible refuses, without a request, a token that does not even claim to be good: another issuer's, an expired
// one, one of another kind. So invented tokens cannot make us send requests to the provider.
func (p *Provider) plausible(raw string) error {
	parts := strings.Split(raw, ".")
	if len(raw) > maxToken || len(parts) != 3 {
		return errors.New("not a token")
	}
	var header struct {
		Type      string `json:"typ"`
		Algorithm string `json:"alg"`
	}
	var c claims
	if err := errors.Join(decode(parts[0], &header), decode(parts[1], &c)); err != nil {
		return errors.New("not a token")
	}
	kind := strings.TrimPrefix(strings.ToLower(header.Type), "application/")
	switch {
	case !slices.Contains(algorithms, header.Algorithm):
		return fmt.Errorf("the token is signed with %.20q", header.Algorithm)
	case !slices.Contains([]string{"", "jwt", "at+jwt"}, kind):
		return fmt.Errorf("the token is a %.40q", header.Type)
	case c.Issuer != p.Issuer:
		return errors.New("the token is of another issuer")
	case !p.Now().Before(instant(c.Expires)):
		return errors.New("the token has expired")
	}
	return nil
}

func decode(part string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

func instant(seconds float64) time.Time { return time.Unix(int64(min(max(seconds, 0), 1<<40)), 0) }

// verify checks signature, issuer, times and audience.
func (p *Provider) verify(ctx context.Context, raw string, audiences ...string) (claims, error) {
	var c claims
	if err := p.plausible(raw); err != nil {
		return c, err
	}
	signature := &check{p: p}
	verifier := oidc.NewVerifier(p.Issuer, signature, &oidc.Config{
		SkipClientIDCheck:    true, // the audiences are checked below
		SupportedSigningAlgs: algorithms,
		Now:                  p.Now,
	})
	token, err := verifier.Verify(ctx, raw)
	switch {
	case signature.down != nil:
		return c, signature.down
	case err != nil && ctx.Err() != nil:
		return c, fmt.Errorf("%w: %w", ErrDown, err)
	case err != nil:
		return c, fmt.Errorf("the token is not good: %w", err)
	}
	if err := errors.Join(token.Claims(&c), token.Claims(&c.everything)); err != nil {
		return c, fmt.Errorf("the token's claims: %w", err)
	}
	c.Audience = token.Audience
	const skew = 5 * time.Minute
	switch {
	case !slices.ContainsFunc(audiences, func(a string) bool { return slices.Contains(c.Audience, a) }):
		return c, errors.New("the token was made for somebody else: its audience is another")
	case len(c.Audience) > 1 && c.Party == "":
		return c, errors.New("the token has several audiences, and names no authorized party (azp) among them")
	case len(c.Audience) > 1 && c.Party != p.ClientID:
		return c, errors.New("the token was made for somebody else: the authorized party is another")
	case instant(c.Issued).After(p.Now().Add(skew)):
		return c, errors.New("the token was issued in the future")
	case len(c.Events) > 0:
		return c, errors.New("the token tells of an event and signs nobody in")
	}
	return c, nil
}

// person reads the claim that is the user's id.
func (p *Provider) person(c claims) (Person, error) {
	user, ok := c.everything[p.UserClaim].(string)
	switch {
	case !ok || user == "":
		return Person{}, Refusal(fmt.Sprintf("Your account has no %s, by which Keyward would know you.", p.UserClaim))
	case p.UserClaim == "email" && string(c.EmailGood) != "true":
		return Person{}, Refusal(
			"Your e-mail address is not verified by the provider, so Keyward does not take it for yours.",
		)
	}
	if err := id.CheckUser(user); err != nil {
		return Person{}, Refusal(
			fmt.Sprintf("The %s of your account cannot be a user's id in Keyward: it %v.", p.UserClaim, err),
		)
	}
	return Person{User: user, TokenID: c.ID, Until: instant(c.Expires)}, nil
}
