package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// listenAt takes the address of a setting. Its error names the setting and the remedy.
func listenAt(ctx context.Context, setting, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	remedy := ""
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		remedy = ": stop the program that listens there, or name another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		remedy = ": name an address of this machine"
	case errors.Is(err, syscall.EACCES):
		remedy = ": name a port from 1024 on, or give the program the right to a lower one (CAP_NET_BIND_SERVICE)"
	}
	return nil, fmt.Errorf("%s: %w%s", setting, err, remedy)
}
