package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/config"
)

const (
	certificateEvery = 10 * time.Second    // the files are looked at
	certificateSoon  = 14 * 24 * time.Hour // an end so near is worth a warning
	warnAgain        = 24 * time.Hour
)

// certificate is the pair of files with which every listener speaks TLS. It is read again when a file changes; a pair
// that is broken, or half written, leaves the one before in place. It is safe for concurrent use.
type certificate struct {
	cert, key string // files
	log       *slog.Logger
	now       func() time.Time
	current   atomic.Pointer[tls.Certificate]

	mu     sync.Mutex
	seen   [2]fileState // of the pair that was read last, good or not
	warned time.Time
}

// fileState tells one content of a file from another. A file that a link leads to counts, so a link that is turned is a
// change.
type fileState struct {
	modified time.Time
	size     int64
	file     os.FileInfo
}

func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{modified: info.ModTime(), size: info.Size(), file: info}
}

func (f fileState) same(other fileState) bool {
	if f.file == nil || other.file == nil {
		return f.file == nil && other.file == nil
	}
	return f.size == other.size && f.modified.Equal(other.modified) && os.SameFile(f.file, other.file)
}

func newCertificate(cert, key string, log *slog.Logger, now func() time.Time) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log, now: now}
	c.seen = c.states()
	pair, err := c.read()
	if err != nil {
		return nil, fmt.Errorf("KEYWARD_TLS_CERT: %w", err)
	}
	c.current.Store(pair)
	c.warn()
	return c, nil
}

func (c *certificate) states() [2]fileState { return [2]fileState{stateOf(c.cert), stateOf(c.key)} }

func (c *certificate) read() (*tls.Certificate, error) {
	pair, err := config.ReadCertificate(c.cert, c.key)
	if err != nil {
		return nil, err
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, err
		}
	}
	return &pair, nil
}

// config is a listener's TLS configuration; each handshake takes the current pair.
func (c *certificate) config(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protocols,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}

// look reads the files again if one of them has changed, and warns of an end that is near.
func (c *certificate) look(context.Context) {
	c.mu.Lock()
	changed := false
	for i, now := range c.states() {
		changed = changed || !now.same(c.seen[i])
	}
	c.mu.Unlock()
	if changed {
		c.reload()
	}
	c.warn()
}

// reload reads the files again.
func (c *certificate) reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = c.states()
	pair, err := c.read()
	if err != nil {
		c.log.Error("the certificate was not read again: the one before goes on to hold", "error", err.Error())
		return
	}
	c.current.Store(pair)
	c.warned = time.Time{}
	c.log.Info("the certificate was read again", "file", c.cert, "ends", pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
}

// warn says once a day that the certificate has ended, or will soon.
func (c *certificate) warn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	end := c.notAfter()
	if end.Sub(now) > certificateSoon || now.Sub(c.warned) < warnAgain {
		return
	}
	c.warned = now
	message := "the certificate ends soon: renew it; it is read again by itself"
	if !now.Before(end) {
		message = "the certificate has ended, and clients refuse it: renew it; it is read again by itself"
	}
	c.log.Warn(message, "file", c.cert, "ends", end.UTC().Format(time.RFC3339))
}

// notAfter is when the certificate ends.
func (c *certificate) notAfter() time.Time { return c.current.Load().Leaf.NotAfter }
