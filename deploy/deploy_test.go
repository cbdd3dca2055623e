// Package deploy_test checks that the example deployments speak of what there is: they themselves need machines that
// tests do not have.
package deploy_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/config"
	"go.yaml.in/yaml/v3"
)

func files(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".go") {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	})
	if err != nil || len(all) < 6 {
		t.Fatalf("%d files: %v", len(all), err)
	}
	return all
}

func TestEverySettingInAnExampleIsOne(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, s := range config.Settings() {
		known[s.Env] = true
	}
	for _, s := range config.FollowSettings() {
		known[s.Env] = true
	}
	for path, text := range files(t) {
		for _, name := range regexp.MustCompile(`\bKEYWARD_[A-Z_]+[A-Z]\b`).FindAllString(text, -1) {
			if !known[name] {
				t.Errorf("%s: %s is no setting", path, name)
			}
		}
	}
}

func TestEveryExampleInYAMLIsWellFormed(t *testing.T) {
	t.Parallel()
	for path, text := range files(t) {
		if filepath.Ext(path) != ".yaml" || strings.Contains(path, "/templates/") {
			continue
		}
		for d, n := yaml.NewDecoder(strings.NewReader(text)), 0; ; n++ {
			var document map[string]any
			err := d.Decode(&document)
			if errors.Is(err, io.EOF) && n > 0 {
				break
			}
			if err != nil {
				t.Errorf("%s: %v", path, err)
				break
			}
		}
	}
}

func TestNginxTakesTheLoadBalancersConfiguration(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("compose/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	b = regexp.MustCompile(`node(\d):`).ReplaceAll(b, []byte("127.0.0.$1:"))
	dir := t.TempDir()
	b = bytes.Join(
		[][]byte{[]byte("error_log stderr;\npid " + dir + "/pid;\nevents {}\nhttp { access_log off;\n"), b, []byte("}\n")},
		nil,
	)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("nginx", "-t", "-p", dir, "-e", "stderr", "-c", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
