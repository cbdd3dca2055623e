package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/rig"
)

// pairs are two certificates and the files in which one of them lies.
type pairs struct {
	*testing.T
	cert, key string
	log       bytes.Buffer
	now       time.Time
	*certificate
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func newPairs(t *testing.T) *pairs {
	t.Helper()
	dir := t.TempDir()
	p := &pairs{T: t, cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key"), now: time.Now()}
	p.replace(rig.Certificate(t))
	var err error
	p.certificate, err = newCertificate(
		p.cert, p.key, slog.New(slog.NewTextHandler(&p.log, nil)), func() time.Time { return p.now },
	)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pairs) replace(cert, key string, _ *x509.CertPool) {
	p.Helper()
	copyFile(p.T, cert, p.cert)
	copyFile(p.T, key, p.key)
}

// shown is the certificate that a client is shown.
func (p *pairs) shown() *x509.Certificate {
	p.Helper()
	server, client := net.Pipe()
	go func() { _ = tls.Server(server, p.config("http/1.1")).HandshakeContext(context.Background()) }()
	c := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	if err := c.HandshakeContext(p.Context()); err != nil {
		p.Fatal(err)
	}
	return c.ConnectionState().PeerCertificates[0]
}

func TestACertificateThatChangesIsReadAgainAndABrokenOneIsNot(t *testing.T) {
	t.Parallel()
	p := newPairs(t)
	first := p.shown()
	p.look(t.Context())
	if strings.Contains(p.log.String(), "was read again") {
		t.Errorf("nothing has changed, and the log says %s", &p.log)
	}

	cert, key, _ := rig.Certificate(t)
	copyFile(t, cert, p.cert) // half of a renewal
	p.look(t.Context())
	if !p.shown().Equal(first) || !strings.Contains(p.log.String(), "the one before goes on to hold") {
		t.Errorf("half a pair took the place of a whole one; the log says %s", &p.log)
	}
	copyFile(t, key, p.key)
	p.look(t.Context())
	second := p.shown()
	if second.Equal(first) {
		t.Errorf("the new pair is not shown; the log says %s", &p.log)
	}

	for _, content := range []string{"", "nonsense"} {
		if err := os.WriteFile(p.cert, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		p.look(t.Context())
		p.reload()
		if !p.shown().Equal(second) {
			t.Errorf("%q took the place of a certificate", content)
		}
	}
	if err := os.Remove(p.cert); err != nil {
		t.Fatal(err)
	}
	p.look(t.Context())
	if !p.shown().Equal(second) {
		t.Error("a file that is gone took the certificate along")
	}
}

// Kubernetes renews by turning a link.
func TestACertificateBehindALinkThatIsTurnedIsReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(dir, "data")
	for _, of := range []string{"a", "b"} {
		cert, key, _ := rig.Certificate(t)
		if err := os.Mkdir(filepath.Join(dir, of), 0o700); err != nil {
			t.Fatal(err)
		}
		copyFile(t, cert, filepath.Join(dir, of, "tls.crt"))
		copyFile(t, key, filepath.Join(dir, of, "tls.key"))
	}
	if err := os.Symlink("a", link); err != nil {
		t.Fatal(err)
	}
	c, err := newCertificate(
		filepath.Join(link, "tls.crt"), filepath.Join(link, "tls.key"), slog.New(slog.DiscardHandler), time.Now,
	)
	if err != nil {
		t.Fatal(err)
	}
	before := c.current.Load().Leaf
	if err := os.Symlink("b", filepath.Join(dir, "next")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "next"), link); err != nil {
		t.Fatal(err)
	}
	c.look(t.Context())
	if c.current.Load().Leaf.Equal(before) {
		t.Error("the certificate of the link's new target is not shown")
	}
}

func TestACertificateThatEndsIsWarnedOfOnceADay(t *testing.T) {
	t.Parallel()
	p := newPairs(t) // it ends within the hour
	warnings := func() int { return strings.Count(p.log.String(), "level=WARN") }
	if warnings() != 1 || !strings.Contains(p.log.String(), "ends soon") {
		t.Errorf("at the start: %s", &p.log)
	}
	for range 3 {
		p.look(t.Context())
	}
	if warnings() != 1 {
		t.Errorf("within a day: %s", &p.log)
	}
	p.now = p.now.Add(25 * time.Hour)
	p.look(t.Context())
	if warnings() != 2 || !strings.Contains(p.log.String(), "has ended") {
		t.Errorf("after its end: %s", &p.log)
	}
	p.now = p.now.AddDate(0, -2, 0)
	p.replace(rig.Certificate(t))
	p.log.Reset()
	p.look(t.Context())
	if warnings() != 0 {
		t.Errorf("of one that is good for months: %s", &p.log)
	}
}
