// Package sdk_test runs the tests of the clients in other languages against the real binary. The tests themselves stand
// beside each client, under sdk.
package sdk_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/rig"
)

const patience = 10 * time.Minute

// fewestPython is the least number of tests that a run of the Python client's suite must show, so that an empty run
// fails.
const fewestPython = 100

func TestPython(t *testing.T) {
	t.Parallel()
	output := run(t, binary(t), "../../sdk/python", "pytest", "-q", "-p", "no:cacheprovider")
	found := regexp.MustCompile(`(\d+) passed`).FindStringSubmatch(output)
	if found == nil {
		t.Fatalf("pytest does not say how many tests passed:\n%s", output)
	}
	if n, err := strconv.Atoi(found[1]); err != nil || n < fewestPython {
		t.Errorf("%s tests of the Python client passed, want at least %d", found[1], fewestPython)
	}
	if regexp.MustCompile(`skipped`).MatchString(output) {
		t.Errorf("tests of the Python client were skipped:\n%s", output)
	}
}

// fewestTypeScript is the least number of tests that a run of the TypeScript client's suite must show.
const fewestTypeScript = 200

func TestTypeScript(t *testing.T) {
	t.Parallel()
	const dir = typescript
	for _, installed := range []string{dir + "/node_modules", dir + "/runtimes/node_modules"} {
		if _, err := os.Stat(installed); err != nil {
			t.Fatalf("%s is needed: make test-deps installs it", installed)
		}
	}
	command := binary(t)
	built.Do(func() { run(t, command, dir, "npm", "run", "--silent", "build") })
	run(t, command, dir, "npm", "run", "--silent", "check") // after the build, because the examples import the package
	output := run(t, command, dir, "npm", "run", "--silent", "test")
	found := regexp.MustCompile(`Tests\s+(\d+) passed \((\d+)\)`).FindStringSubmatch(colour.ReplaceAllString(output, ""))
	if found == nil || found[1] != found[2] {
		t.Fatalf("vitest does not say that all tests passed:\n%s", output)
	}
	if n, err := strconv.Atoi(found[1]); err != nil || n < fewestTypeScript {
		t.Errorf("%s tests of the TypeScript client passed, want at least %d", found[1], fewestTypeScript)
	}
	run(t, command, dir, "npm", "run", "--silent", "package")
	run(t, command, dir, "npm", "run", "--silent", "size")
}

// built builds the TypeScript package once.
var built sync.Once

// colour matches the sequences that colour a terminal's text.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// run runs a suite in its folder, and fails the test with its output where it fails.
func run(t *testing.T, binary, dir, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is needed: make test-deps installs it", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "KEYWARD_BINARY="+binary, "PYTHONDONTWRITEBYTECODE=1")
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, output)
	}
	return string(output)
}

// program is the command, built once for all tests, and removed by TestMain. It is the one of the tree: what an overlay
// replaces, as a mutant of a client does, is not in it, because these tests judge the clients.
var program = sync.OnceValues(func() (path string, err error) {
	path, removeProgram, err = rig.Build("-overlay=")
	return path, err
})

var removeProgram = func() {}

func TestMain(m *testing.M) {
	status := m.Run()
	removeProgram()
	os.Exit(status)
}

func binary(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
