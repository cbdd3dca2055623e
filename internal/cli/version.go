package cli

import (
	"fmt"
	"runtime"
)

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(a *app) error {
	_, err := fmt.Fprintf(a.Out, "keyward %s %s %s/%s\n", a.version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
