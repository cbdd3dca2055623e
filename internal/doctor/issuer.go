package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/oidc"
)

const (
	maxAnswer    = 1 << 20
	littleSkew   = 3 * time.Second // the field Date has whole seconds
	tooMuchSkew  = 60 * time.Second
	nobodyGetsIn = "nobody gets in through the provider"
)

// Issuer looks at the OpenID provider.
func Issuer(ctx context.Context, cfg *config.Config, now func() time.Time) []Finding {
	if cfg.OIDC.Issuer == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*askTime)
	defer cancel()
	var document struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	at := strings.TrimSuffix(cfg.OIDC.Issuer, "/") + "/.well-known/openid-configuration"
	raw, skew, err := fetch(ctx, at, now)
	if err == nil {
		err = json.Unmarshal(raw, &document)
	}
	if err != nil {
		return []Finding{{Fail, "issuer", fmt.Sprintf("%s: %v", at, err), nobodyGetsIn + "; keys and links work on",
			"see to it that this machine reaches the provider, and that KEYWARD_OIDC_ISSUER is as the provider writes it"}}
	}
	if document.Issuer != cfg.OIDC.Issuer {
		return []Finding{{Fail, "issuer", fmt.Sprintf("calls itself %.200q, and KEYWARD_OIDC_ISSUER says %q",
			document.Issuer, cfg.OIDC.Issuer), nobodyGetsIn,
			"write KEYWARD_OIDC_ISSUER to the letter, with or without the last slash"}}
	}
	all := []Finding{clockBeside("the issuer's", skew)}
	raw, _, err = fetch(ctx, document.JWKS, now)
	if err != nil {
		return append(all, Finding{Fail, "issuer", fmt.Sprintf("its keys at %.200s: %v", document.JWKS, err), nobodyGetsIn,
			"see to it that this machine reaches that address"})
	}
	good, refused, err := oidc.CountKeys(raw)
	switch {
	case err != nil || good == 0:
		all = append(all, Finding{Fail, "issuer", fmt.Sprintf("has no key that may check a signature (%s)",
			strings.Join(refused, "; ")), nobodyGetsIn,
			"have the provider sign with an RSA key of 2048 bits or more, or with ES256 or EdDSA"})
	case len(refused) > 0:
		all = append(all, Finding{Warn, "issuer", strings.Join(refused, "; "),
			"tokens that are signed with them are refused", "have the provider take them out"})
	default:
		all = append(all, ok("issuer", "%s answers, with %d keys", cfg.OIDC.Issuer, good))
	}
	return all
}

// fetch reads a document and tells how far this machine's clock is ahead of the server's.
func fetch(ctx context.Context, at string, now func() time.Time) (body []byte, skew time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, 0, err
	}
	sent := now()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		skew = sent.Add(now().Sub(sent) / 2).Sub(date.Add(500 * time.Millisecond))
	}
	if answer.StatusCode != http.StatusOK {
		return nil, skew, fmt.Errorf("it answers %s", answer.Status)
	}
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return body, skew, err
}

func clockBeside(whose string, skew time.Duration) Finding {
	f := Finding{Warn, "clock", fmt.Sprintf("this machine's and %s differ by %s", whose, skew.Abs().Round(time.Second)),
		"tokens begin and end by the issuer's clock, and keys by this machine's",
		"set both clocks, with chrony or systemd-timesyncd"}
	switch skew = skew.Abs(); {
	case skew > tooMuchSkew:
		f.Level = Fail
	case skew <= littleSkew:
		return ok("clock", "agrees with %s to a few seconds", whose)
	}
	return f
}
