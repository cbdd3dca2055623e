package recipes_test

import (
	"log"
	"os"
	"testing"

	"github.com/keyward/keyward/internal/rig"
)

// binary is the command, built once: a server that is killed must be a process of its own.
var binary string

func TestMain(m *testing.M) {
	built, remove, err := rig.Build()
	if err != nil {
		log.Fatal(err)
	}
	binary = built
	code := m.Run()
	remove()
	os.Exit(code)
}
