package main_test

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"maps"
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

	document := contents(t, root, here, "v0.1.0")
	info, err := buildinfo.ReadFile(here)
	if err != nil {
		t.Fatal(err)
	}
	listed := document.versions()
	if listed[info.Main.Path] != "v0.1.0" {
		t.Errorf("the list has the command itself in version %q", listed[info.Main.Path])
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

// A module that a folder takes the place of, as the provider has the product, is listed by its name, in the version of
// the release.
func TestTheListNamesAModuleThatStandsInAFolder(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/tree/program\n\ngo 1.26\n\nrequire example.com/tree v0.0.0\n\n" +
			"replace example.com/tree => ./tree\n",
		"main.go":      "package main\n\nimport \"example.com/tree\"\n\nfunc main() { tree.Grow() }\n",
		"tree/go.mod":  "module example.com/tree\n\ngo 1.26\n",
		"tree/tree.go": "package tree\n\nfunc Grow() {}\n",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	tool(t, dir, "go", "build", "-o", "program", ".")
	document := contents(t, root, filepath.Join(dir, "program"), "v0.1.0")
	listed := document.versions()
	delete(listed, "std")
	want := map[string]string{"example.com/tree/program": "v0.1.0", "example.com/tree": "v0.1.0"}
	if !maps.Equal(listed, want) || document.Name != "program" {
		t.Errorf("the list of %s is %v, want %v", document.Name, listed, want)
	}
}

// spdx is a document of scripts/sbom.
type spdx struct {
	SPDXVersion, Name string
	Packages          []struct{ SPDXID, Name, VersionInfo string }
	Relationships     []struct{ RelatedSpdxElement string }
}

// contents lists what is in a binary of a release.
func contents(t *testing.T, root, binary, version string) (document spdx) {
	t.Helper()
	if err := json.Unmarshal(tool(t, root, "scripts/sbom", binary, version), &document); err != nil {
		t.Fatal(err)
	}
	return document
}

// versions are those of the packages, by their names.
func (s spdx) versions() map[string]string {
	listed := map[string]string{}
	for _, p := range s.Packages {
		listed[p.Name] = p.VersionInfo
	}
	return listed
}
