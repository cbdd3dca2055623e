package signin

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/oidc"
)

const (
	// flowCookie holds an attempt to sign in while the browser is at the provider: it binds the answer to the browser
	// that asked.
	flowCookie   = "__Host-keyward-oidc"
	flowLife     = 10 * time.Minute
	callbackPath = "/signin/oidc/callback"
)

// attempt is a flow and where it leads.
type attempt struct {
	oidc.Flow
	Return string `json:"r"`
	Until  int64  `json:"u"` // Unix seconds
}

// sealer keeps attempts in the browser, where they can be neither read nor made.
type sealer struct{ aead cipher.AEAD }

func newSealer(secret []byte, purpose string) (sealer, error) {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(purpose))
	block, err := aes.NewCipher(m.Sum(nil))
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

func (s sealer) seal(a any) (string, error) {
	raw, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, raw, nil)), nil
}

func (s sealer) open(text string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	if raw, err = s.aead.Open(nil, nil, raw, nil); err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// freshSecret is for a gate that was given none: attempts then end with the process.
func freshSecret() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return b
}

// redirectURL is where the provider sends the browser back to.
func (g *Gate) redirectURL(r *http.Request) string {
	switch {
	case g.PublicURL != "":
		return g.PublicURL + callbackPath
	case g.overTLS(r):
		return "https://" + r.Host + callbackPath
	}
	return "http://" + r.Host + callbackPath
}

// begin sends the browser to the provider.
func (g *Gate) begin(w http.ResponseWriter, r *http.Request) {
	address, flow, err := g.OIDC.Begin(r.Context(), g.redirectURL(r))
	if err != nil {
		g.providerDown(w, r, err)
		return
	}
	sealed, err := g.flows.seal(
		attempt{Flow: flow, Return: returnPath(r.URL.Query().Get("return")), Until: g.Now().Add(flowLife).Unix()},
	)
	if err != nil {
		g.broken(w, r, err)
		return
	}
	http.SetCookie(
		w,
		&http.Cookie{Name: flowCookie, Value: sealed, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
			MaxAge: int(flowLife.Seconds())},
	)
	http.Redirect(w, r, address, http.StatusSeeOther)
}

func (g *Gate) providerDown(w http.ResponseWriter, r *http.Request, err error) {
	g.Logger.Warn("the OpenID provider does not answer", "error", err.Error())
	g.refuse(w, r, http.StatusServiceUnavailable, "The sign-in provider does not answer",
		"Try again in a moment. API keys are verified all the same.")
}

// callback takes the provider's answer. The attempt is over, however it ends.
func (g *Gate) callback(w http.ResponseWriter, r *http.Request) {
	at, err := g.attempt(r)
	takeCookie(w, flowCookie)
	if err != nil {
		g.distrust(w, r, fmt.Errorf("no attempt of this browser: %w", err))
		return
	}
	q := r.URL.Query()
	if told := q.Get("error"); told != "" {
		g.Logger.Info("the OpenID provider refused", "error", fmt.Sprintf("%.60q", told))
		note := "The provider did not sign you in."
		if told == "access_denied" {
			note = "You, or the provider, called it off."
		}
		g.refuse(w, r, http.StatusForbidden, "Not signed in", note)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	person, err := g.OIDC.Finish(
		ctx, g.redirectURL(r), at.Flow, oidc.Answer{Code: q.Get("code"), State: q.Get("state"), Issuer: q.Get("iss")},
	)
	var refusal oidc.Refusal
	switch {
	case errors.Is(err, oidc.ErrDown):
		g.providerDown(w, r, err)
	case errors.As(err, &refusal):
		g.refuse(w, r, http.StatusForbidden, "Keyward cannot know you", refusal.Error())
	case err != nil:
		g.distrust(w, r, err)
	default:
		g.welcome(w, r, person, at.Return)
	}
}

func (g *Gate) attempt(r *http.Request) (attempt, error) {
	c, err := r.Cookie(flowCookie)
	if err != nil {
		return attempt{}, err
	}
	var a attempt
	if err := g.flows.open(c.Value, &a); err != nil {
		return a, err
	}
	if g.Now().Unix() >= a.Until {
		return a, errors.New("too old")
	}
	return a, nil
}

// distrust refuses an answer that is not to be believed; why is for the log alone.
func (g *Gate) distrust(w http.ResponseWriter, r *http.Request, err error) {
	g.Logger.Warn("an answer of the OpenID provider was refused", "error", err.Error())
	if g.tooMany(w, r) {
		return
	}
	g.refuse(w, r, http.StatusBadRequest, "Not signed in",
		"This answer does not belong to an attempt to sign in that this browser began in the last ten minutes. Begin anew.")
}

// welcome starts the session of a person whom the provider vouches for.
func (g *Gate) welcome(w http.ResponseWriter, r *http.Request, person oidc.Person, back string) {
	started, err := g.Control.StartSession(r.Context(), g.Origin(r), person.User)
	switch {
	case fault.Is(err, fault.PermissionDenied):
		g.refuse(
			w, r, http.StatusForbidden, "You are not a member yet",
			"The provider knows you as "+person.User+", and no workspace has a member with this user id. Ask whoever runs yours to add you by it.",
		)
	case err != nil:
		g.broken(w, r, err)
	default:
		g.enter(w, r, started, back)
	}
}
