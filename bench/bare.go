package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

func init() { children["bare"] = bareChild }

// bareChild is the baseline of a server: net/http that reads the body and writes a given number of bytes, looking at
// neither.
func bareChild(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want an address and a number of bytes, got %q", args)
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	answer, length := []byte(strings.Repeat("x", n)), strconv.Itoa(n)
	return http.ListenAndServe(args[0], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Length", length)
		_, _ = w.Write(answer)
	}))
}
