package main_test

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// tool runs a program and answers what it prints.
func tool(t *testing.T, dir, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, &errs)
	}
	return out
}

func TestT93TwoBuildsInTwoPlacesAreTheSameAndListWhatIsInThem(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	elsewhere := filepath.Join(dir, "elsewhere")
	if err := os.Mkdir(elsewhere, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"go.mod", "go.sum", "api", "cmd", "internal", "keyhttp"} {
		tool(t, root, "cp", "-r", part, elsewhere)
	}
	sources, err := filepath.Glob(filepath.Join(root, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	tool(t, root, "cp", append(sources, elsewhere)...)
	here, there := filepath.Join(dir, "here"), filepath.Join(dir, "there")
	build := []string{
		"build", "-trimpath", "-tags", "grpcnotrace", "-buildvcs=false", "-ldflags", "-X main.version=test", "-o",
	}
	tool(t, root, "go", append(build, here, "./cmd/keyward")...)
	tool(t, elsewhere, "go", append(build, there, "./cmd/keyward")...)
	one, err := os.ReadFile(here)
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.ReadFile(there)
	if err != nil || !bytes.Equal(one, two) {
		t.Errorf("two builds of the same source differ, %v", err)
	}

	var document struct {
		SPDXVersion string
		Packages    []struct {
			SPDXID, Name, VersionInfo string
		}
		Relationships []struct{ RelatedSpdxElement string }
	}
	if err := json.Unmarshal(tool(t, root, "scripts/sbom", here), &document); err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(here)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, p := range document.Packages {
		listed[p.Name] = p.VersionInfo
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if listed[m.Path] != m.Version {
			t.Errorf("the list has %s in version %q, the binary %q", m.Path, listed[m.Path], m.Version)
		}
	}
	if document.SPDXVersion != "SPDX-2.3" || len(document.Packages) != len(info.Deps)+2 ||
		len(document.Relationships) != len(document.Packages) {
		t.Errorf(
			"%s with %d packages and %d relations for %d modules", document.SPDXVersion, len(document.Packages),
			len(document.Relationships), len(info.Deps),
		)
	}
}
