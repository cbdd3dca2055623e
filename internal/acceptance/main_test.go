// Package acceptance owns the tests that know the product only from outside: they start the command and speak HTTP with
// it, or walk the grant rule through every door of the control plane. It holds no code of the product.
package acceptance_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// binary is the command under test. TestMain builds it.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	built, remove, err := rig.Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer remove()
	binary = built
	return pgtest.Main(m)
}
