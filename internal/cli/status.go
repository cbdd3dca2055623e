package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/installation"
)

type statusCmd struct {
	remote
	Check bool `help:"End with status 1 where something is critical or a warning, for a monitor."`
}

func (statusCmd) Help() string {
	return `Shows version, database, certificate, last backup, nodes and keys of the installation, and what needs attention, the most pressing
first. Needs a service key with the scope manage that is bound to nothing.

Examples:
  keyward status
  keyward status --check || mail -s "Keyward needs attention" ops@example.com`
}

// Run asks the server.
func (c *statusCmd) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	i, err := client.Installation(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(a.Out, i)
	} else {
		c.print(a, &i)
	}
	if err == nil && c.Check && pressing(i.Attention) {
		return status(exitFailure)
	}
	return err
}

func pressing(all []keyward.Attention) bool {
	for _, one := range all {
		if one.Severity != keyward.SeverityNotice {
			return true
		}
	}
	return false
}

func (c *statusCmd) print(a *app, i *keyward.Installation) {
	database := i.Database.Kind + ", " + installation.Size(i.Database.SizeBytes)
	if i.Database.FreeBytes != nil {
		database += ", " + installation.Size(*i.Database.FreeBytes) + " free on its disk"
	}
	backup := "none is known of"
	if b := i.LastBackup; b != nil {
		backup = moment(&b.At)
		if b.SizeBytes > 0 {
			backup += ", " + installation.Size(b.SizeBytes)
		}
	}
	certificate := "no TLS"
	if i.CertificateEndsAt != nil {
		certificate = "ends " + moment(i.CertificateEndsAt)
	}
	t := newTable("INSTALLATION", "")
	t.row("Version", i.Version)
	t.row("Database", database)
	t.row("Last backup", backup)
	t.row("Certificate", certificate)
	t.row("Nodes", fmt.Sprintf("%d of %d ready", i.Nodes.Ready, i.Nodes.Total))
	t.row("Workspaces", strconv.FormatInt(i.Workspaces, 10))
	t.row("API keys", fmt.Sprintf("%d, of which %d never expire", i.APIKeys, i.KeysWithoutExpiry))
	t.print(a.Out)
	fmt.Fprintln(a.Out)
	if len(i.Attention) == 0 {
		fmt.Fprintln(a.Out, "Nothing needs attention.")
		return
	}
	for _, one := range i.Attention {
		fmt.Fprintf(a.Out, "%s: %s\n  %s\n", one.Severity, one.Message, one.Action)
	}
}
