package keyward_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/keyward/keyward"
)

// Ask on every call of one's own API whether the key that came with it is good.
func ExampleClient_Verify() {
	client, err := keyward.New("https://keys.example.com", keyward.WithToken(os.Getenv("KEYWARD_TOKEN")))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /calls", func(w http.ResponseWriter, r *http.Request) {
		verdict, err := client.Verify(r.Context(), keyward.VerifyRequest{
			Key:         r.Header.Get("X-API-Key"),
			Permissions: keyward.Demand{All: []string{"calls:read"}},
		})
		switch {
		case err != nil: // no answer is no yes
			http.Error(w, "try again later", http.StatusServiceUnavailable)
		case !verdict.Valid:
			http.Error(w, string(verdict.Code), http.StatusForbidden)
		default:
			fmt.Fprintf(w, "the calls of %s\n", verdict.UserID)
		}
	})
}

// Create a key that does one thing, for a quarter of a year. Its value is shown this once.
func ExampleClient_CreateKey() {
	ctx := context.Background()
	client, err := keyward.New("https://keys.example.com", keyward.WithToken(os.Getenv("KEYWARD_TOKEN")))
	if err != nil {
		log.Fatal(err)
	}
	created, err := client.CreateKey(ctx, keyward.CreateKeyRequest{
		UserID:      "ada",
		Name:        "nightly report",
		Permissions: keyward.Permissions("calls:read", "analytics:read"),
		ExpiresAt:   new(time.Now().AddDate(0, 3, 0)),
		RateLimit:   keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(60)}),
	})
	if refused, ok := errors.AsType[*keyward.Error](err); ok && errors.Is(err, keyward.ErrEscalation) {
		for _, detail := range refused.Details {
			fmt.Println("ada does not hold", detail.Message)
		}
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(created)              // prints no value
	fmt.Println(created.Key.Reveal()) // does
}

// Disable every key of a user, at once and everywhere.
func ExampleClient_UpdateKeys() {
	ctx := context.Background()
	client, err := keyward.New("https://keys.example.com", keyward.WithToken(os.Getenv("KEYWARD_TOKEN")))
	if err != nil {
		log.Fatal(err)
	}
	for key, err := range client.AllKeys(ctx, keyward.ListKeysOptions{UserID: "ada"}) {
		if err != nil {
			log.Fatal(err)
		}
		off := keyward.KeyUpdate{ID: key.ID, IsActive: keyward.Set(false)}
		done, err := client.UpdateKeys(ctx, []keyward.KeyUpdate{off}, keyward.WaitAll())
		if err != nil {
			log.Fatal(err)
		}
		for _, item := range done.Errors {
			log.Printf("%s stays: %s", item.ID, item.Code)
		}
	}
}

// A secret prints as a placeholder, by every road.
func ExampleSecret() {
	secret := keyward.NewSecret("kw_live_…")
	fmt.Printf("%v %+v %#v\n", secret, struct{ Key keyward.Secret }{secret}, secret)
	// Output: [secret] {Key:[secret]} [secret]
}
