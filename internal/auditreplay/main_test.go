package auditreplay_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain has a history of two databases checked fewer times than rapid's hundred, unless the command line says how
// often: under the race detector a hundred take four minutes.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "40"); err != nil {
		panic(err)
	}
	flag.Parse()
	os.Exit(m.Run())
}
