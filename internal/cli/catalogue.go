package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/keyward/keyward/internal/cataloguefile"
)

type catalogueCmd struct {
	Check catalogueCheck `cmd:"" help:"Check a catalogue's file."`
}

type catalogueCheck struct {
	File string `arg:"" type:"existingfile" help:"A YAML list of {resource, action, description}."`
}

func (catalogueCheck) Help() string {
	return `What is wrong is said as FILE:LINE:COLUMN. A catalogue that lacks permissions of Keyward's own operations is good, but only service
keys can do these then; which they are is said on standard error.

Example of a file:
  - {resource: orders, action: read, description: See orders}
  - {resource: orders, action: write}`
}

// Run checks a file.
func (c *catalogueCheck) Run(_ context.Context, a *app) error {
	catalogue, err := cataloguefile.Read(c.File)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Out, "%s: %d permissions\n", c.File, catalogue.Len())
	if missing := cataloguefile.Missing(catalogue); len(missing) > 0 {
		fmt.Fprintf(
			a.Err, "%s it lacks %s: only service keys can do what these stand for\n", paint(a.Err, yellow, "warning:"),
			strings.Join(missing, ", "),
		)
	}
	return nil
}
