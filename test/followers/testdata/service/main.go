// Command service is a program of another module, which decides about the keys of its requests by packages verifier and
// keyhttp alone. It says where it listens, and ends with its standard input.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/keyward/keyward/keyhttp"
	"github.com/keyward/keyward/verifier"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	start, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	v, err := verifier.New(start, verifier.Config{
		URL: os.Getenv("SOURCE"), Token: os.Getenv("TOKEN"), MaxStaleness: 2 * time.Second, Name: "service",
	})
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }()
	guard := keyhttp.New(v, keyhttp.WithEnvironment("live"))
	mux := http.NewServeMux()
	mux.Handle("GET /calls", guard.Require("calls:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := keyhttp.From(r.Context())
		fmt.Fprintf(w, "calls for %s", caller.UserID)
	})))
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%d keys, loaded %d times, asked %d times", v.Stats().Keys, v.Stats().Loads, v.Stats().Asked)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
