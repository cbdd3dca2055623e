// Command vuln asks whether the product calls code with a known vulnerability, by govulncheck.
//
//	go build -C tools -o ../bin/vuln ./vuln && bin/vuln ./...
//
// The reports are those of the module golang.org/x/vulndb, which comes from the module proxy like every other module,
// so no other host is asked. Where that module cannot be had, the command says so on one line and ends well: nothing
// was asked then.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/vuln/scan"
)

func main() {
	code, err := run(context.Background(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "vuln:", err)
		code = 1
	}
	os.Exit(code)
}

func run(ctx context.Context, patterns []string) (int, error) {
	reports, version, err := download(ctx)
	if err != nil {
		fmt.Printf("vulnerabilities: NOT ASKED: the reports cannot be had: %v\n", err)
		return 0, nil
	}
	dir, err := os.MkdirTemp("", "vulndb-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	n, err := index(reports, dir)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", reports, err)
	}
	fmt.Printf("vulnerabilities: %d reports, golang.org/x/vulndb %s\n", n, version)
	cmd := scan.Command(ctx, append([]string{"-format", "json", "-db", "file://" + dir}, patterns...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	if err := cmd.Wait(); err != nil {
		return 0, err
	}
	return tell(json.NewDecoder(&out))
}

// message is what govulncheck says of code that is called.
type message struct {
	Finding *struct {
		OSV   string `json:"osv"`
		Fixed string `json:"fixed_version"`
		Trace []struct{ Module, Version, Package, Function string }
	} `json:"finding"`
}

// standard is how govulncheck names the standard library.
const standard = "stdlib"

// tell prints each vulnerability that the product reaches. One of a module fails; one of the standard library is named,
// since it is mended by a newer Go and not by this tree.
func tell(d *json.Decoder) (code int, err error) {
	told := map[string]bool{}
	for {
		var m message
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, err
		}
		if m.Finding == nil || told[m.Finding.OSV] || len(m.Finding.Trace) == 0 || m.Finding.Trace[0].Function == "" {
			continue
		}
		at := m.Finding.Trace[0]
		told[m.Finding.OSV] = true
		if at.Module != standard {
			code = 1
		}
		fmt.Printf("%s: %s.%s of %s %s is called; fixed in %s: https://pkg.go.dev/vuln/%s\n",
			m.Finding.OSV, at.Package, at.Function, at.Module, at.Version, m.Finding.Fixed, m.Finding.OSV)
	}
	fmt.Printf("vulnerabilities: %d are reached\n", len(told))
	if code == 0 && len(told) > 0 {
		fmt.Println("vulnerabilities: all of them are the standard library's: build with a newer Go")
	}
	return code, nil
}

// download gets the newest reports, outside of any module of ours.
func download(ctx context.Context) (dir, version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	elsewhere, err := os.MkdirTemp("", "vuln-")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(elsewhere)
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "golang.org/x/vulndb@latest")
	cmd.Dir = elsewhere
	var out bytes.Buffer
	cmd.Stdout = &out
	failed := cmd.Run()
	var module struct{ Dir, Version, Error string }
	if err := json.Unmarshal(out.Bytes(), &module); err != nil {
		return "", "", errors.Join(failed, err)
	}
	if module.Error != "" || failed != nil {
		return "", "", errors.Join(failed, errors.New(strings.TrimSpace(module.Error)))
	}
	return module.Dir, module.Version, nil
}

// report is what the index needs of a report in the form of OSV.
type report struct {
	ID        string    `json:"id"`
	Modified  time.Time `json:"modified"`
	Withdrawn time.Time `json:"withdrawn"`
	Affected  []struct {
		Package struct{ Name string } `json:"package"`
		Ranges  []struct {
			Events []struct{ Fixed string } `json:"events"`
		} `json:"ranges"`
	} `json:"affected"`
}

// entry is one vulnerability in the index of a module.
type entry struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Fixed    string    `json:"fixed,omitempty"`
}

// index lays the reports out as govulncheck reads them, https://go.dev/doc/security/vuln/database#api, and counts them.
func index(module, dir string) (int, error) {
	paths, err := filepath.Glob(filepath.Join(module, "data", "osv", "GO-*.json"))
	if err != nil {
		return 0, err
	}
	if len(paths) == 0 {
		return 0, errors.New("there are no reports")
	}
	for _, sub := range []string{"ID", "index"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return 0, err
		}
	}
	byModule := map[string][]entry{}
	var newest time.Time
	count := 0
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		var r report
		if err := json.Unmarshal(text, &r); err != nil {
			return 0, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		if !r.Withdrawn.IsZero() {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "ID", r.ID+".json"), text, 0o644); err != nil {
			return 0, err
		}
		count++
		if r.Modified.After(newest) {
			newest = r.Modified
		}
		for _, a := range r.Affected {
			e := entry{ID: r.ID, Modified: r.Modified}
			for _, span := range a.Ranges {
				for _, event := range span.Events {
					if event.Fixed != "" {
						e.Fixed = event.Fixed
					}
				}
			}
			if !slices.ContainsFunc(byModule[a.Package.Name], func(o entry) bool { return o.ID == r.ID }) {
				byModule[a.Package.Name] = append(byModule[a.Package.Name], e)
			}
		}
	}
	type moduleIndex struct {
		Path  string  `json:"path"`
		Vulns []entry `json:"vulns"`
	}
	var modules []moduleIndex
	for name, vulns := range byModule {
		modules = append(modules, moduleIndex{name, vulns})
	}
	slices.SortFunc(modules, func(a, b moduleIndex) int { return strings.Compare(a.Path, b.Path) })
	return count, errors.Join(
		write(filepath.Join(dir, "index", "modules.json"), modules),
		write(filepath.Join(dir, "index", "db.json"), map[string]time.Time{"modified": newest}))
}

func write(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
