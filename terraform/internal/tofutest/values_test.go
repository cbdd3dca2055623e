//go:build tofu

package tofutest

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keyward/keyward/terraform/internal/realserver"
)

// aKey matches the value of a key. It asks for no boundary of a word before it: a plan has the length of a text there,
// and that of a value, 57, is the digit 9.
var aKey = regexp.MustCompile(`kw_(?:live|test|svc)_[0-9A-Za-z]{49}`)

// inBase64 matches a text that is long enough to hold a value in base64, as a state has what a provider keeps for itself.
var inBase64 = regexp.MustCompile(`[0-9A-Za-z+/]{64,}={0,2}`)

// holdsValue reports whether data holds the value of a key, in plain text or in base64.
func holdsValue(data []byte) bool {
	return aKey.Match(data) || slices.ContainsFunc(inBase64.FindAll(data, -1), func(text []byte) bool {
		decoded := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
		n, _ := base64.RawStdEncoding.Decode(decoded, bytes.TrimRight(text, "=")) // as far as it is base64
		return aKey.Match(decoded[:n])
	})
}

// filesWithValues lists the files below a directory that hold the value of a key, the parts of a plan among them.
func filesWithValues(dir string) (found []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) == ".key" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if holdsValue(data) {
			found = append(found, filepath.Base(path))
		}
		archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return nil // no plan
		}
		for _, part := range archive.File {
			inside, err := contents(part)
			if err != nil {
				return err
			}
			if holdsValue(inside) {
				found = append(found, filepath.Base(path)+"/"+part.Name)
			}
		}
		return nil
	})
	return found, err
}

func contents(part *zip.File) ([]byte, error) {
	r, err := part.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestT113AValueInAFileIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	value := `"kw_live_` + strings.Repeat("A", 49) + `"`
	var plan bytes.Buffer
	z := zip.NewWriter(&plan)
	part, err := z.Create("tfstate")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, value); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"a.plan": plan.String(), "b.tfstate": `{"value": ` + value + `}`, "own.key": value, "empty": "",
		"c.tfstate": `{"private": "` + base64.StdEncoding.EncodeToString([]byte(`{"value": `+value+`}`)) + `"}`,
		"d.tfstate": `{"private": "` + base64.StdEncoding.EncodeToString([]byte(`{"value": "kw_live_AAAA…AAAA of Ada's"}`)) + `"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := filesWithValues(dir)
	if err != nil || strings.Join(found, " ") != "a.plan/tfstate b.tfstate c.tfstate" {
		t.Errorf("found %q (%v)", found, err)
	}
}

// TestT113AValueInAPlanIsFound has a configuration that leaves a value in the plan and in the state, so that the search
// is seen to find it where OpenTofu writes it.
func TestT113AValueInAPlanIsFound(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"kw_live_", "kw_svc_"} {
		p := newProject(t, &realserver.Server{}, map[string]string{"main.tf": `
variable "leak" {}
resource "terraform_data" "leak" {
  input = var.leak
}
`})
		p.env = append(p.env, "TF_VAR_leak="+prefix+strings.Repeat("A", 49))
		if out, status := p.run("plan", "-out=leak.plan"); status != 0 || !aKey.MatchString(out) {
			t.Errorf("the plan shows no value:\n%s", out)
		}
		if out, status := p.run("apply", "leak.plan"); status != 0 {
			t.Errorf("the apply ends with %d:\n%s", status, out)
		}
		found, err := filesWithValues(p.dir)
		if err != nil || !slices.Contains(found, "leak.plan/tfplan") || !slices.Contains(found, "terraform.tfstate") {
			t.Errorf("the value is found in %q (%v)", found, err)
		}
	}
}
