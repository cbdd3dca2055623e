package verifier_test

import (
	"context"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/keywardtest"
	"github.com/keyward/keyward/verifier"
)

func BenchmarkVerify(b *testing.B) {
	s := keywardtest.New(b)
	made, err := s.Client().
		CreateServiceKey(b.Context(), keyward.CreateServiceKeyRequest{
			Name: "follower", Scopes: []keyward.Scope{"follow", "verify"},
		})
	if err != nil {
		b.Fatal(err)
	}
	req := keyward.VerifyRequest{
		Key:         s.Key(b, s.Workspace(b, "Acme", "ada"), "ada", "calls:read"),
		Permissions: keyward.Demand{All: []string{"calls:read"}},
	}
	v, err := verifier.New(b.Context(), verifier.Config{URL: s.URL, Token: made.Key.Reveal()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	for name, one := range map[string]keyward.Verifier{"in process": v, "client": s.As(b, made.Key.Reveal())} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got, err := one.Verify(context.Background(), req); err != nil || !got.Valid {
					b.Fatal(got.Code, err)
				}
			}
		})
	}
}
