// Package passkey owns the ceremonies of WebAuthn (Level 3): what a browser is asked for when a member registers a
// passkey or signs in with one, and whether its answer is to be believed. It does not own where passkeys are kept
// (store), who may register one (control), nor pages and cookies (signin).
package passkey

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
)

// ErrNoName says that browsers make no passkey for the address by which they reach this server: WebAuthn takes a domain
// name over HTTPS, or localhost.
var ErrNoName = errors.New("passkeys need a name over HTTPS, or localhost")

// Party is the relying party as a browser sees it. It is safe for concurrent use.
type Party struct{ config webauthn.Config }

// New makes the relying party of an origin such as https://keys.example.com. ErrNoName says that the origin can have
// none.
func New(origin string) (*Party, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoName, err)
	}
	host := strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(host); err == nil || host == "" || u.Scheme != "https" && host != "localhost" {
		return nil, ErrNoName
	}
	c := webauthn.Config{RPID: host, RPDisplayName: "Keyward", RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired,
			RequireResidentKey: protocol.ResidentKeyRequired(), UserVerification: protocol.VerificationRequired}}
	if _, err := webauthn.New(&c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoName, err)
	}
	return &Party{c}, nil
}

// Localhost gives the address to open instead of a loopback address, for which browsers make no passkey.
func Localhost(hostPort string) (string, bool) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		host, port = strings.Trim(hostPort, "[]"), ""
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.Unmap().IsLoopback() {
		return "", false
	}
	if port == "" {
		return "localhost", true
	}
	return net.JoinHostPort("localhost", port), true
}

// Base is the address under which people are to open links: publicURL where it is set, else that of the request, with
// the name of a loopback address, for which browsers make passkeys.
func Base(publicURL string, https bool, host string) string {
	if publicURL != "" {
		return publicURL
	}
	scheme := "http://"
	if https {
		scheme = "https://"
	}
	if local, ok := Localhost(host); ok {
		host = local
	}
	return scheme + host
}

// InvitationPath is the page that follows an invitation; its code comes behind it.
const InvitationPath = "/signin/invitation#"

// owner is a member as the library asks for one.
type owner struct {
	handle      []byte
	name        string
	displayName string
	keys        []webauthn.Credential
}

func (o *owner) WebAuthnID() []byte                         { return o.handle }
func (o *owner) WebAuthnName() string                       { return o.name }
func (o *owner) WebAuthnDisplayName() string                { return o.displayName }
func (o *owner) WebAuthnCredentials() []webauthn.Credential { return o.keys }

// Owner is the member who registers a passkey. Name and DisplayName are what the authenticator shows.
type Owner struct {
	Handle      []byte
	Name        string
	DisplayName string
	Has         []session.Passkey // which the authenticator is to make no second one beside
}

// Attempt is what has to be remembered of a ceremony until it is answered. It must come back unchanged, and once.
type Attempt struct {
	Challenge string `json:"c"`
	Handle    []byte `json:"h,omitempty"` // of a registration
}

// Digest is by which an answered challenge is known.
func (a *Attempt) Digest() keyfmt.Digest { return sha256.Sum256([]byte(a.Challenge)) }

// Registration begins a registration: options are what a browser gives to navigator.credentials.create.
func (p *Party) Registration(o Owner) (options json.RawMessage, a Attempt, err error) {
	w, err := webauthn.New(&p.config)
	if err != nil {
		return nil, a, err
	}
	u := &owner{handle: o.Handle, name: o.Name, displayName: o.DisplayName, keys: credentials(o.Has)}
	creation, begun, err := w.BeginRegistration(
		u, webauthn.WithExclusions(webauthn.Credentials(u.keys).CredentialDescriptors()),
	)
	if err != nil {
		return nil, a, fmt.Errorf("begin a registration: %w", err)
	}
	options, err = json.Marshal(creation.Response)
	return options, Attempt{Challenge: begun.Challenge, Handle: o.Handle}, err
}

// SignIn begins a sign-in: options are what a browser gives to navigator.credentials.get. No name is asked for.
func (p *Party) SignIn() (options json.RawMessage, a Attempt, err error) {
	w, err := webauthn.New(&p.config)
	if err != nil {
		return nil, a, err
	}
	assertion, begun, err := w.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, a, fmt.Errorf("begin a sign-in: %w", err)
	}
	options, err = json.Marshal(assertion.Response)
	return options, Attempt{Challenge: begun.Challenge}, err
}

// Made is a credential that an authenticator has made.
type Made struct {
	Credential, PublicKey []byte
	Counter               uint32
	Backup                bool
}

// Registered checks the answer to a registration: for this challenge and origin, with the user verified.
func (p *Party) Registered(a Attempt, answer []byte) (Made, error) {
	w, err := webauthn.New(&p.config)
	if err != nil {
		return Made{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return Made{}, plain(err)
	}
	c, err := w.CreateCredential(
		&owner{handle: a.Handle},
		webauthn.SessionData{Challenge: a.Challenge, RelyingPartyID: p.config.RPID,
			UserID: a.Handle, UserVerification: protocol.VerificationRequired,
			CredParams: webauthn.CredentialParametersDefault()},
		parsed,
	)
	if err != nil {
		return Made{}, plain(err)
	}
	return Made{c.ID, c.PublicKey, c.Authenticator.SignCount, c.Flags.BackupEligible}, nil
}

// Answer is an answer to a sign-in that was read and not checked yet.
type Answer struct {
	parsed *protocol.ParsedCredentialAssertionData
}

// Read reads an answer to a sign-in.
func Read(answer []byte) (*Answer, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return nil, plain(err)
	}
	return &Answer{parsed}, nil
}

// Credential is the id of the credential that the answer is said to be by.
func (a *Answer) Credential() []byte { return a.parsed.RawID }

// Proves checks that the passkey has signed the challenge, for this origin, with the user verified, and gives the
// counter that it signed. Whether the counter fits the passkey's history is not asked here.
func (p *Party) Proves(a Attempt, in *Answer, key *session.Passkey) (counter uint32, err error) {
	w, err := webauthn.New(&p.config)
	if err != nil {
		return 0, err
	}
	find := func(_, handle []byte) (webauthn.User, error) {
		return &owner{handle: key.Handle, keys: credentials([]session.Passkey{*key})}, nil
	}
	_, _, err = w.ValidatePasskeyLogin(find, webauthn.SessionData{Challenge: a.Challenge, RelyingPartyID: p.config.RPID,
		UserVerification: protocol.VerificationRequired}, in.parsed)
	if err != nil {
		return 0, plain(err)
	}
	return in.parsed.Response.AuthenticatorData.Counter, nil
}

func credentials(keys []session.Passkey) []webauthn.Credential {
	var out []webauthn.Credential
	for _, k := range keys {
		c := webauthn.Credential{
			ID: k.Credential, PublicKey: k.PublicKey, Authenticator: webauthn.Authenticator{SignCount: k.Counter},
		}
		c.Flags.BackupEligible = k.Backup
		out = append(out, c)
	}
	return out
}

// plain says what the library found wrong, with what it keeps for developers.
func plain(err error) error {
	var e *protocol.Error
	if errors.As(err, &e) {
		return fmt.Errorf("%s: %s", e.Details, e.DevInfo)
	}
	return err
}
