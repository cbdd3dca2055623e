package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// socketWord before a path makes it the address of a unix socket.
const socketWord = "unix:"

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
	network, addr := "tcp", args[0]
	if path, ok := strings.CutPrefix(addr, socketWord); ok {
		network, addr = "unix", path
	}
	listener, err := net.Listen(network, addr)
	if err != nil {
		return err
	}
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Length", length)
		_, _ = w.Write(answer)
	}))
}
