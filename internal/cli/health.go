package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/config"
)

type healthCmd struct {
	URL     string        `arg:"" optional:"" help:"The server. Default: KEYWARD_URL, else the address that the settings of a server here name."`
	Live    bool          `help:"Ask whether the process is alive, not whether it can verify."`
	Timeout time.Duration `default:"5s" placeholder:"DURATION" help:"How long to wait for the answer."`
	Config  *string       `placeholder:"FILE" help:"The server's file of settings. [KEYWARD_CONFIG]"`
}

func (healthCmd) Help() string {
	return `The status is 0 when the server can verify keys, else 1 with one line that says why. It needs no token. Use it for the health check of a
container, or to wait for a server.

Examples:
  keyward health
  keyward health https://keyward.internal
  HEALTHCHECK CMD ["/keyward", "health"]`
}

// Run asks the server.
func (c *healthCmd) Run(ctx context.Context, a *app) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	url, transport, err := c.server()
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	client, err := keyward.New(url, keyward.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		return usageError(oneLine(err))
	}
	ask := client.Ready
	word := "ready"
	if c.Live {
		ask = client.Health
		word = "alive"
	}
	if err := ask(ctx); err != nil {
		return fmt.Errorf("%s is not %s: %w", url, word, err)
	}
	_, err = fmt.Fprintf(a.Out, "%s is %s\n", url, word)
	return err
}

// server finds the server to ask. One that is found by its settings is on this machine: its certificate is made for
// another name, and nothing secret is sent, so the certificate is not checked there.
func (c *healthCmd) server() (string, *http.Transport, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if c.URL != "" {
		return c.URL, transport, nil
	}
	if url := os.Getenv("KEYWARD_URL"); url != "" {
		return url, transport, nil
	}
	given := map[string]string{}
	if c.Config != nil {
		given[config.ConfigFlag] = *c.Config
	}
	settings, err := config.Load(config.Sources{Flags: given, Environ: os.Environ()})
	if err != nil {
		return "", nil, err
	}
	host, port, err := net.SplitHostPort(settings.Addr)
	if err != nil {
		return "", nil, err
	}
	switch host { // an image without /etc/hosts does not know localhost
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	scheme := "http"
	if settings.TLSCert != "" {
		scheme = "https"
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
	}
	return scheme + "://" + net.JoinHostPort(host, port), transport, nil
}
