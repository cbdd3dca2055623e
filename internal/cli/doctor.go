package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

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
	URL     string  `arg:"" help:"A URL of the API, as its clients ask for it."`
	KeyFile string  `type:"path" placeholder:"FILE" help:"A file with an API key that may get the URL."`
	Routes  *string `placeholder:"FILE" help:"The server's route table. [KEYWARD_ROUTES]"`
	Config  *string `placeholder:"FILE" help:"The server's file of settings. [KEYWARD_CONFIG]"`
	JSON    bool    `name:"json" help:"Print JSON, for programs."`
}

func (doctorGateway) Help() string {
	return `Asks for the URL four times, with GET, as a client of the API does: without a key, with headers that only a proxy may set, with a key that is
none, and with the key. It says whether the proxy asks /check and heeds the answer, and, with the server's route table, whether it says for which
request it asks. What the API answers counts as passed, also 404.

Example:
  keyward doctor gateway https://api.example.com/v1/calls --key-file key --routes /etc/keyward/routes.yaml`
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
	p := doctor.Probe{URL: c.URL, Client: http.DefaultClient}
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
	d := &examination{out: a.Out, json: c.JSON}
	d.tell(doctor.Gateway(ctx, p)...)
	return d.end()
}
