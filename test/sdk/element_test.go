package sdk_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/portal"
)

const elementDir = "../../sdk/element"

// mostLinesOfReact bounds the wrapper: more than that would be a second element.
const mostLinesOfReact = 60

// TestElementPackage packs the package of the element and uses it as a product would: its script has the bytes of the
// server's, its types compile strictly, and its wrapper renders in React.
func TestElementPackage(t *testing.T) {
	t.Parallel()
	installed, err := filepath.Abs(elementDir + "/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(installed + "/react"); err != nil {
		t.Fatalf("%s is needed: make test-deps installs it", installed)
	}
	product := packElement(t, installed)
	dir := product + "/node_modules/keyward-element"
	want, err := portal.Element()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, dir+"/keyward.js"), want.Content) {
		t.Error("the package's script is not the server's")
	}
	var said map[string]string
	if err := json.Unmarshal(read(t, dir+"/integrity.json"), &said); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"hash": want.Hash, "integrity": want.Integrity}, said); diff != "" {
		t.Error(diff)
	}
	if n := bytes.Count(read(t, dir+"/react.js"), []byte("\n")); n > mostLinesOfReact {
		t.Errorf("the wrapper has %d lines", n)
	}
	for _, name := range []string{"uses.ts", "page.tsx", "render.mjs", "tsconfig.json"} {
		if err := os.WriteFile(product+"/"+name, read(t, elementDir+"/test/"+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	within(t, product, installed+"/.bin/tsc")
	if got := within(t, product, "node", "render.mjs"); got != `<keyward-keys view="create" locale="ar" class="keys" `+
		`hide="search status" expirations="7 never" page-size="5" readonly=""></keyward-keys>` {
		t.Errorf("rendered %s", got)
	}
}

// packElement packs the package into the folder of a product, beside React.
func packElement(t *testing.T, installed string) (product string) {
	t.Helper()
	product = t.TempDir()
	var packed []struct {
		Filename string
		Files    []struct{ Path string }
	}
	out := within(t, elementDir, "npm", "pack", "--json", "--silent", "--pack-destination", product)
	if err := json.Unmarshal([]byte(out), &packed); err != nil || len(packed) != 1 {
		t.Fatalf("npm pack says %s: %v", out, err)
	}
	var names []string
	for _, f := range packed[0].Files {
		names = append(names, f.Path)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{
		"README.md", "integrity.json", "keyward.d.ts", "keyward.js", "package.json", "react.d.ts", "react.js",
	}, names); diff != "" {
		t.Errorf("files of the package: %s", diff)
	}
	if err := os.MkdirAll(product+"/node_modules/keyward-element", 0o700); err != nil {
		t.Fatal(err)
	}
	within(t, product, "tar", "-xzf", packed[0].Filename, "--strip-components=1", "-C", "node_modules/keyward-element")
	for _, name := range []string{"react", "react-dom", "@types"} {
		if err := os.Symlink(installed+"/"+name, product+"/node_modules/"+name); err != nil {
			t.Fatal(err)
		}
	}
	return product
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// within runs a program in a folder, and gives what it says.
func within(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", name, err, out, complaints.String())
	}
	return strings.TrimSpace(string(out))
}
