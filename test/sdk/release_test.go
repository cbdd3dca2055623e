package sdk_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestReleasedPackages builds the clients' packages as a release does, installs them as a user would, and makes one
// call with each. They carry the release's version, and the licence.
func TestReleasedPackages(t *testing.T) {
	t.Parallel()
	p, dist, home := startServer(t), t.TempDir(), t.TempDir()
	run(t, "", "../..", "go", "run", "-C", "tools/release", ".", "-version", "v0.9.7", "-sdks", "-out", dist)
	for _, name := range []string{
		"keyward-0.9.7.tgz", "keyward-element-0.9.7.tgz", "keyward-0.9.7-py3-none-any.whl", "keyward-0.9.7.tar.gz",
	} {
		if _, err := os.Stat(filepath.Join(dist, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("wheel", func(t *testing.T) {
		t.Parallel()
		python := home + "/venv/bin/python"
		within(t, home, "/usr/bin/python3", "-m", "venv", "venv")
		within(t, home, python, "-m", "pip", "install", "--quiet", "--no-index", dist+"/keyward-0.9.7-py3-none-any.whl")
		licensed(t, 1, home+"/venv/lib/python3*/site-packages/keyward-0.9.7.dist-info/LICENSE")
		writeFile(t, home+"/call.py", `import sys, keyward
with keyward.Keyward(sys.argv[1], sys.argv[2]) as kw:
    print(keyward.__version__, kw.verify(sys.argv[3]).code)
`)
		if got := within(t, home, python, "call.py", p.url, p.root, p.good); got != "0.9.7 VALID" {
			t.Errorf("the wheel says %q", got)
		}
	})
	t.Run("npm", func(t *testing.T) {
		t.Parallel()
		project := home + "/project"
		writeFile(t, project+"/package.json", `{"private": true, "type": "module"}`)
		within(t, project, "npm", "install", "--offline", "--no-audit", "--no-fund", "--silent",
			dist+"/keyward-0.9.7.tgz", dist+"/keyward-element-0.9.7.tgz")
		licensed(t, 2, project+"/node_modules/keyward*/LICENSE")
		writeFile(t, project+"/call.mjs", `import { Keyward, version } from "keyward";
import { KeywardKeys } from "keyward-element";
import element from "keyward-element/package.json" with { type: "json" };
const [, , url, token, key] = process.argv;
const { code } = await new Keyward({ url, token }).verify({ key });
console.log(version, code, element.version, typeof KeywardKeys);
`)
		got := within(t, project, "node", "--disable-warning=ExperimentalWarning", "call.mjs", p.url, p.root, p.good)
		if got != "0.9.7 VALID 0.9.7 function" {
			t.Errorf("the packages of npm say %q", got)
		}
	})
}

// licensed wants the licence of the tree at so many places.
func licensed(t *testing.T, packages int, pattern string) {
	t.Helper()
	want := string(read(t, "../../LICENSE"))
	places, err := filepath.Glob(pattern)
	if err != nil || len(places) != packages {
		t.Errorf("%s is there %d times, want %d (%v)", pattern, len(places), packages, err)
	}
	for _, place := range places {
		if string(read(t, place)) != want {
			t.Errorf("%s is another licence", place)
		}
	}
}
