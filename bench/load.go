//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// load is how many requests a server answered, and how long each took.
type load struct {
	Rate     float64 // requests per second
	P50, P99 float64 // microseconds
}

// order holds the instructions for the load generator; it comes as JSON, so that no key stands among a command's
// arguments.
type order struct {
	Addr    string
	Conns   int
	Span    time.Duration
	Request string // whole, as it goes over the wire
	Want    string // a part of every answer
}

func init() { children["load"] = loadChild }

func loadChild([]string) error {
	var o order
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return err
	}
	r, err := drive(o)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// line is one connection, on which a request is under way.
type line struct {
	fd   int
	in   []byte
	have int
	sent time.Time
}

// drive keeps one request under way on each connection. It speaks with the kernel directly, because a client that costs
// more than the server would measure itself.
func drive(o order) (load, error) {
	runtime.LockOSThread()
	poll, err := syscall.EpollCreate1(0)
	if err != nil {
		return load{}, err
	}
	defer syscall.Close(poll)
	lines := make([]*line, o.Conns)
	for i := range lines {
		if lines[i], err = connect(o.Addr, poll, i); err != nil {
			return load{}, err
		}
		defer syscall.Close(lines[i].fd)
	}
	request, want := []byte(o.Request), []byte(o.Want)
	for _, l := range lines {
		if err := l.send(request, time.Now()); err != nil {
			return load{}, err
		}
	}
	var took []float64
	start := time.Now()
	events := make([]syscall.EpollEvent, o.Conns)
	for time.Since(start) < o.Span {
		n, err := syscall.EpollWait(poll, events, 5000)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return load{}, fmt.Errorf("no answer within 5 s (%v)", err)
		}
		for _, e := range events[:n] {
			l := lines[e.Fd]
			done, err := l.receive(want)
			if err != nil {
				return load{}, err
			}
			if !done {
				continue
			}
			now := time.Now()
			took = append(took, micros(now.Sub(l.sent)))
			if err := l.send(request, now); err != nil {
				return load{}, err
			}
		}
	}
	span := time.Since(start)
	if len(took) == 0 {
		return load{}, errors.New("nothing was answered")
	}
	slices.Sort(took)
	return load{float64(len(took)) / span.Seconds(), took[len(took)/2], took[len(took)*99/100]}, nil
}

func connectTCP(addr string) (fd int, err error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return 0, err
	}
	if fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0); err != nil {
		return 0, err
	}
	return fd, errors.Join(
		syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
	)
}

func connectSocket(path string) (fd int, err error) {
	if fd, err = syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0); err != nil {
		return 0, err
	}
	return fd, syscall.Connect(fd, &syscall.SockaddrUnix{Name: path})
}

func connect(addr string, poll, i int) (*line, error) {
	var fd int
	var err error
	if path, ok := strings.CutPrefix(addr, socketWord); ok {
		fd, err = connectSocket(path)
	} else {
		fd, err = connectTCP(addr)
	}
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		syscall.SetNonblock(fd, true),
		syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}),
	)
	return &line{fd: fd, in: make([]byte, 1<<20)}, err
}

func (l *line) send(request []byte, now time.Time) error {
	l.have, l.sent = 0, now
	for len(request) > 0 { // a large one may fill the socket for a moment
		n, err := syscall.Write(l.fd, request)
		if err != nil && !errors.Is(err, syscall.EAGAIN) {
			return err
		}
		request = request[max(n, 0):]
	}
	return nil
}

// receive reads the available bytes; true if the answer is whole.
func (l *line) receive(want []byte) (bool, error) {
	n, err := syscall.Read(l.fd, l.in[l.have:])
	if errors.Is(err, syscall.EAGAIN) {
		return false, nil
	}
	if err != nil || n == 0 {
		return false, fmt.Errorf("the connection ended (%v): %s", err, l.in[:l.have])
	}
	l.have += n
	whole, err := answered(l.in[:l.have])
	if whole && !bytes.Contains(l.in[:l.have], want) {
		return false, fmt.Errorf("want %q in every answer, got %.300s", want, l.in[:l.have])
	}
	return whole, err
}

var lengthField = []byte("\r\nContent-Length: ")

// answered tells whether an answer with a length is whole.
func answered(b []byte) (bool, error) {
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		return false, nil
	}
	at := bytes.Index(b[:head+2], lengthField)
	if at < 0 {
		return false, fmt.Errorf("an answer without a length: %.200s", b)
	}
	digits, _, _ := bytes.Cut(b[at+len(lengthField):], []byte("\r"))
	n, err := strconv.Atoi(string(digits))
	return len(b) >= head+4+n, err
}

// freePort returns a free port.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
