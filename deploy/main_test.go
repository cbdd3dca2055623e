package deploy_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/keyward/keyward/internal/rig"
)

// binary is the command as it is released.
var binary string

func TestMain(m *testing.M) {
	built, remove, err := rig.Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = built
	code := m.Run()
	remove()
	os.Exit(code)
}
