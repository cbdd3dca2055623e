// Package acceptance owns the tests that know the product only from outside: they start the command and speak HTTP with it, or
// walk the grant rule through every door of the control plane. It holds no code of the product.
package acceptance_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// binary is the command under test. TestMain builds it.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "keyward-acceptance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)

	binary = filepath.Join(dir, "keyward")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "../../cmd/keyward")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the command: %v\n%s", err, out)
		return 1
	}
	return pgtest.Main(m)
}
