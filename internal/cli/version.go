package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
)

type versionCmd struct {
	JSON bool `help:"Print it as a JSON object, for a program."`
}

func (versionCmd) Help() string {
	return `Examples:
  keyward version
  keyward version --json`
}

// Run prints the version.
func (c *versionCmd) Run(_ context.Context, a *app) error {
	if c.JSON {
		return json.NewEncoder(a.Out).Encode(struct {
			Version   string `json:"version"`
			GoVersion string `json:"goVersion"`
			OS        string `json:"os"`
			Arch      string `json:"arch"`
		}{a.version, runtime.Version(), runtime.GOOS, runtime.GOARCH})
	}
	_, err := fmt.Fprintf(a.Out, "keyward %s %s %s/%s\n", a.version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
