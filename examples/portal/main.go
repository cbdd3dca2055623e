// Command portal is a tiny product: a login, an API, and a page "API keys" on which its customers keep their own keys.
// The page holds Keyward's element, so there is no code for keys here. README.md says how to run it.
package main

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/keyward/keyward"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	token := os.Getenv("KEYWARD_TOKEN")
	if token == "" {
		return errors.New(
			"KEYWARD_TOKEN is not set: give a service key with the scope manage, such as the root key that `make run` prints",
		)
	}
	at := or(os.Getenv("KEYWARD_URL"), "http://localhost:8080")
	client, err := keyward.New(at, keyward.WithToken(token))
	if err != nil {
		return err
	}
	origin := or(os.Getenv("PRODUCT_URL"), "http://localhost:8090")
	_, host, _ := strings.Cut(origin, "://")
	server := &http.Server{
		Addr: host, Handler: newProduct(client, at, origin).handler(), ReadHeaderTimeout: 10 * time.Second,
	}
	fmt.Println("The product is at " + origin)
	return server.ListenAndServe()
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
