package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/keyward/keyward/keyhttp"
	"github.com/keyward/keyward/verifier"
)

// A service that decides about the keys of its requests within its own process.
func Example() {
	start, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	v, err := verifier.New(start, verifier.Config{
		URL: "https://keyward.internal", Token: os.Getenv("KEYWARD_TOKEN"), Name: "orders", Logger: slog.Default(),
	})
	cancel()
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = v.Close() }()

	guard := keyhttp.New(v, keyhttp.WithEnvironment("live"), keyhttp.WithOnError(func(r *http.Request, err error) {
		if errors.Is(err, verifier.ErrStale) {
			log.Printf("%s: 503, the copy cannot be proved to be fresh", r.URL.Path)
		}
	}))
	mux := http.NewServeMux()
	mux.Handle("GET /calls", guard.Require("calls:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := keyhttp.From(r.Context())
		fmt.Fprintf(w, "calls of workspace %s, for %s\n", caller.WorkspaceID, caller.UserID)
	})))
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !v.Ready() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Addr: "127.0.0.1:9000", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Print(server.ListenAndServe())
}
