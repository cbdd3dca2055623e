// Package openapi_test has the linters of OpenAPI read the document that the server gives out.
package openapi_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// linters are programs from npm; each gets the document's path as its last argument and ends with 0 for a sound one.
var linters = map[string][]string{
	"redocly":  {"lint", "--config", "redocly.yaml"},
	"spectral": {"lint", "--ruleset", "spectral.yaml", "--fail-severity", "hint"},
}

func run(t *testing.T, name, document string) (string, error) {
	t.Helper()
	args := append([]string{filepath.Join("node_modules", ".bin", name)}, linters[name]...)
	cmd := exec.Command("node", append(args, document)...)
	cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "CI=true")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestTheDocumentIsWhatLintersWant(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "api", "openapi.yaml")
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// A linter that finds nothing wrong with these finds nothing at all.
	broken := map[string]string{
		"a reference to nothing": strings.Replace(
			string(document), "'#/components/schemas/Verdict'", "'#/components/schemas/Verdikt'", 1,
		),
		"two operations of the same id": strings.Replace(
			string(document), "operationId: getHealth", "operationId: getReadiness", 1,
		),
		"a type that JSON does not have": strings.Replace(
			string(document), "{type: boolean, description: '`true` with", "{type: bool, description: '`true` with", 1,
		),
	}
	for name := range linters {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, err := run(t, name, path); err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
			for what, text := range broken {
				if text == string(document) {
					t.Fatalf("%s: the document has changed, so that this breaks nothing", what)
				}
				wrong := filepath.Join(t.TempDir(), "openapi.yaml")
				if err := os.WriteFile(wrong, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				if out, err := run(t, name, wrong); err == nil {
					t.Errorf("%s is taken:\n%s", what, out)
				}
			}
		})
	}
}
