package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/database"
	"github.com/keyward/keyward/internal/doctor"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/routes"
)

type doctorCmd struct {
	Look    doctorLook    `cmd:"" default:"withargs" hidden:"" help:"Check settings, database, clock, files and neighbours, and say what to do."`
	Gateway doctorGateway `cmd:"" help:"Ask through the proxy in front of an API whether it asks Keyward as it should."`
}

func (doctorCmd) Help() string {
	return `Changes nothing, and works beside a running server. Each line says ok, warn or fail, what is so, why it matters, and what to do. Ends with
status 1 where something fails. It looks at the settings, the catalogue, files, descriptors, the disk, the database and its log, the clock,
certificates, Redis, the OpenID provider, and whether the nodes of the installation are alike.

Examples:
  keyward doctor --config /etc/keyward.yaml
  keyward doctor --json
  keyward doctor gateway https://api.example.com/v1/calls --key-file key`
}

type doctorLook struct {
	serverFlags
	JSON bool `name:"json" help:"Print JSON, for programs."`
}

// examination gathers the findings.
type examination struct {
	out    io.Writer
	json   bool
	found  []doctor.Finding
	failed int
}

func (d *examination) tell(all ...doctor.Finding) {
	for _, f := range all {
		d.found = append(d.found, f)
		if f.Level == doctor.Fail {
			d.failed++
		}
		if d.json {
			continue
		}
		text := f.What
		if f.Why != "" {
			text += "; " + f.Why
		}
		if f.Do != "" {
			text += ": " + f.Do
		}
		how := map[doctor.Level]string{doctor.OK: green, doctor.Warn: yellow, doctor.Fail: red}[f.Level]
		fmt.Fprintf(d.out, "%s  %-11s %s\n", paint(d.out, how, fmt.Sprintf("%-4s", f.Level)), f.Subject, visible(text))
	}
}

func (d *examination) ok(subject, format string, args ...any) {
	d.tell(doctor.Finding{Level: doctor.OK, Subject: subject, What: fmt.Sprintf(format, args...)})
}

func (d *examination) warn(subject, what, why, do string) {
	d.tell(doctor.Finding{Level: doctor.Warn, Subject: subject, What: what, Why: why, Do: do})
}

func (d *examination) fail(subject, what, why, do string) {
	d.tell(doctor.Finding{Level: doctor.Fail, Subject: subject, What: what, Why: why, Do: do})
}

// end prints JSON where it is wanted, and gives the status.
func (d *examination) end() error {
	if d.json {
		if err := printJSON(d.out, d.found); err != nil {
			return err
		}
	}
	if d.failed > 0 {
		return status(exitFailure)
	}
	return nil
}

const noStart = "the server does not start"

// Run examines an installation.
func (c *doctorLook) Run(ctx context.Context, a *app) error {
	d := &examination{out: a.Out, json: c.JSON}
	cfg, err := c.load()
	if err != nil {
		d.fail("settings", oneLine(err), "", "")
		return d.end()
	}
	d.settings(cfg)
	d.tell(doctor.Cheap(&cfg)...)
	d.catalogue(cfg)
	d.clock(time.Now())
	d.tell(doctor.Certificates(&cfg, time.Now())...)
	if !database.OnServer(&cfg) {
		d.files(cfg)
		d.database(ctx, cfg)
	} else {
		d.postgres(ctx, cfg)
	}
	d.tell(doctor.Redis(ctx, &cfg, time.Now)...)
	d.tell(doctor.Issuer(ctx, &cfg, time.Now)...)
	return d.end()
}

type doctorGateway struct {
	Target       string  `arg:"" name:"url" help:"A URL of the API, as its clients ask for it."`
	KeyFile      string  `type:"path" placeholder:"FILE" help:"A file with an API key that may get the URL."`
	BoundKeyFile string  `type:"path" placeholder:"FILE" help:"A file with such a key that is bound to an address of no client, such as 192.0.2.1: asks whether the proxy says the client's address."`
	From         string  `placeholder:"ADDRESS" help:"The address of this machine to ask from. Default: the system's choice."`
	Routes       *string `placeholder:"FILE" help:"The server's route table. [KEYWARD_ROUTES]"`
	Config       *string `placeholder:"FILE" help:"The server's file of settings. [KEYWARD_CONFIG]"`
	remote
}

func (doctorGateway) Help() string {
	return `Asks for the URL, with GET, as a client of the API does: without a key, with headers that only a proxy may set, with a key that is none, and with
the key. It says whether the proxy asks /check and heeds the answer, and, with the server's route table, whether it says for which request it asks.
What the API answers counts as passed, also 404.

With --bound-key-file it also asks twice with a key that only an address of no client may present, once with a forged X-Forwarded-For, and reads from
the server at KEYWARD_URL, with a token of the scope manage, which address it saw: whether the proxy says the client's address, and a client cannot.

Examples:
  keyward doctor gateway https://api.example.com/v1/calls --key-file key --routes /etc/keyward/routes.yaml
  keyward doctor gateway https://api.example.com/v1/calls --key-file key --bound-key-file bound --token-file root`
}

// Run asks through the gateway.
func (c *doctorGateway) Run(ctx context.Context, a *app) error {
	given := map[string]string{}
	for name, v := range map[string]*string{"routes": c.Routes, config.ConfigFlag: c.Config} {
		if v != nil {
			given[name] = *v
		}
	}
	cfg, err := loadWith(given)
	if err != nil {
		return err
	}
	p := doctor.Probe{URL: c.Target}
	if p.Client, err = clientFrom(c.From); err != nil {
		return err
	}
	if cfg.Routes != "" {
		catalogue, err := catalogueOf(cfg)
		if err != nil {
			return err
		}
		if p.Table, err = routes.Read(cfg.Routes, catalogue); err != nil {
			return err
		}
	}
	if c.KeyFile != "" {
		key, err := readSecret(c.KeyFile)
		if err != nil {
			return fmt.Errorf("--key-file: %w", err)
		}
		p.Key = keyfmt.NewSecret(key)
	}
	if c.BoundKeyFile != "" {
		if p.Bound, err = c.bound(ctx, a); err != nil {
			return err
		}
	}
	d := &examination{out: a.Out, json: c.JSON}
	d.tell(doctor.Gateway(ctx, p)...)
	return d.end()
}

// bound reads the key that is bound to an address of no client, and asks the server about it.
func (c *doctorGateway) bound(ctx context.Context, a *app) (b doctor.Bound, err error) {
	value, err := readSecret(c.BoundKeyFile)
	if err != nil {
		return b, fmt.Errorf("--bound-key-file: %w", err)
	}
	server, err := c.client(a)
	if err != nil {
		return b, err
	}
	verdict, err := server.Verify(ctx, keyward.VerifyRequest{Key: value, Cost: new(int)})
	if err != nil {
		return b, err
	}
	if verdict.KeyID == "" {
		return b, fmt.Errorf("--bound-key-file: the server says %s of the key", verdict.Code)
	}
	key, err := server.GetKey(ctx, verdict.KeyID)
	if err != nil {
		return b, err
	}
	b.Key = keyfmt.NewSecret(value)
	for _, text := range key.AllowedIPs {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return b, fmt.Errorf("the key's allowedIps: %w", err)
		}
		b.Networks = append(b.Networks, network)
	}
	if len(b.Networks) == 0 {
		return b, errors.New("--bound-key-file: the key is bound to no address")
	}
	b.Refused = func(ctx context.Context) (all []doctor.Refused, err error) {
		refusals, err := server.KeyRefusals(ctx, verdict.KeyID, 0)
		for _, r := range refusals {
			ip, _ := netip.ParseAddr(r.IP) // "" where no address was told
			all = append(all, doctor.Refused{At: r.At, IP: ip})
		}
		return all, err
	}
	return b, nil
}

// clientFrom asks from an address of this machine; "" leaves the choice to the system.
func clientFrom(address string) (*http.Client, error) {
	if address == "" {
		return http.DefaultClient, nil
	}
	from, err := netip.ParseAddr(address)
	if err != nil {
		return nil, usageError(fmt.Sprintf("--from: %q is no address", address))
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}).DialContext
	return &http.Client{Transport: transport}, nil
}
