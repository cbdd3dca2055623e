package keyhttp_test

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/keyhttp"
)

func Example() {
	client, err := keyward.New("https://keys.example.com", keyward.WithToken(os.Getenv("KEYWARD_TOKEN")))
	if err != nil {
		log.Fatal(err)
	}
	guard := keyhttp.New(client, keyhttp.WithOnError(func(r *http.Request, err error) {
		log.Printf("%s %s: the key could not be checked: %v", r.Method, r.URL.Path, err)
	}))

	mux := http.NewServeMux()
	mux.Handle("GET /calls", guard.Require("calls:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := keyhttp.From(r.Context())
		fmt.Fprintf(w, "calls of workspace %s, for %s\n", caller.WorkspaceID, caller.UserID)
	})))
	export := keyhttp.Rule{All: []string{"calls:read", "calls:export"}, Cost: new(10)}
	mux.Handle("POST /calls/export", guard.Check(export)(http.NotFoundHandler()))

	server := &http.Server{Addr: "127.0.0.1:9000", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
