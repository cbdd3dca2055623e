package config_test

import (
	"testing"

	"github.com/keyward/keyward/internal/config"
)

// T70: half a provider, or one over plain HTTP, is refused; the issuer is kept to the letter.
func TestT70AProviderIsNamedWholeAndOverTLS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want  string
		pairs []string
	}{
		{"KEYWARD_OIDC_ISSUER: stands without KEYWARD_OIDC_CLIENT_ID", []string{"KEYWARD_OIDC_ISSUER=https://h"}},
		{"KEYWARD_OIDC_CLIENT_ID: stands without KEYWARD_OIDC_ISSUER", []string{"KEYWARD_OIDC_CLIENT_ID=k"}},
		{"KEYWARD_OIDC_CLIENT_SECRET: stands without KEYWARD_OIDC_ISSUER", []string{"KEYWARD_OIDC_CLIENT_SECRET=hush-hush"}},
		{"anybody between could sign in", []string{"KEYWARD_OIDC_ISSUER=http://id.example.com", "KEYWARD_OIDC_CLIENT_ID=k"}},
		{"want the provider's issuer", []string{"KEYWARD_OIDC_ISSUER=id.example.com", "KEYWARD_OIDC_CLIENT_ID=k"}},
		{"want the provider's issuer",
			[]string{"KEYWARD_OIDC_ISSUER=https://u:p@id.example.com", "KEYWARD_OIDC_CLIENT_ID=k"}},
		{"without a path", []string{"KEYWARD_PUBLIC_URL=https://h/keyward"}},
		{"want the address", []string{"KEYWARD_PUBLIC_URL=keyward.example.com"}},
		{"want the address", []string{"KEYWARD_PUBLIC_URL=ftp://keyward.example.com"}},
	} {
		_, err := config.Load(config.Sources{Environ: env(t, c.pairs...)})
		refused(t, err, c.want)
	}
	got, err := config.Load(
		config.Sources{Environ: env(
			t, "KEYWARD_OIDC_ISSUER=https://t.auth0.com/", "KEYWARD_OIDC_CLIENT_ID=k", "KEYWARD_OIDC_CLIENT_SECRET=hush-hush",
			"KEYWARD_OIDC_AUDIENCE=api", "KEYWARD_PUBLIC_URL=https://keyward.example.com/",
		)},
	)
	if err != nil {
		t.Fatal(err)
	}
	if o := got.OIDC; o.Issuer != "https://t.auth0.com/" || o.ClientID != "k" || o.ClientSecret.Reveal() != "hush-hush" ||
		o.UserClaim != "sub" ||
		o.Audience != "api" ||
		got.PublicURL != "https://keyward.example.com" {
		t.Errorf("%+v, %s", o, got.PublicURL)
	}
	if _, err := config.Load(
		config.Sources{Environ: env(t, "KEYWARD_OIDC_ISSUER=http://127.0.0.1:9", "KEYWARD_OIDC_CLIENT_ID=k")},
	); err != nil {
		t.Errorf("a provider on this machine: %v", err)
	}
}
