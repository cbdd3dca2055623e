package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds the command as it is released, except for its version, into a directory of its own, and returns its
// path and a function that removes the directory. It is for TestMain: the test binary must run inside the module.
// more are arguments of go build.
func Build(more ...string) (binary string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "keyward-test-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	binary = filepath.Join(dir, "keyward")
	build := exec.Command(
		"go",
		append(append([]string{"build", "-trimpath", "-tags", "grpcnotrace", "-o", binary}, more...),
			"github.com/keyward/keyward/cmd/keyward")...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("build the command: %w\n%s", err, out)
	}
	return binary, remove, nil
}
