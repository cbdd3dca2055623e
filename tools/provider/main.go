// Command provider builds the release of the Terraform provider, in the layout that the registries of OpenTofu and
// Terraform read: an archive for each platform, their checksums, and the manifest; and beside each archive a list of
// what is inside of its binary (SPDX). From the same commit, with the same Go, it makes the same bytes.
//
//	go run -C tools ./provider -version v0.1.0                    everything, into bin/release
//	go run -C tools ./provider -version v0.1.0 -twice linux/amd64 one platform, built twice and compared
package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// name is that of the provider's binary, as OpenTofu looks for it.
const name = "terraform-provider-keyward"

// targets are the platforms of a release.
var targets = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// manifest says which version of the plugin protocol the provider speaks.
const manifest = `{
  "version": 1,
  "metadata": {
    "protocol_versions": ["6.0"]
  }
}
`

// release is one run.
type release struct {
	root    string    // of the tree
	version string    // with a v
	when    time.Time // of the commit: the time of every file inside
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "provider:", err)
		os.Exit(1)
	}
}

func run() error {
	root := flag.String("root", "..", "the tree")
	out := flag.String("out", "bin/release", "the folder for the archives, below the tree")
	version := flag.String("version", "", "the version, such as v0.1.0")
	twice := flag.String("twice", "", "build one platform twice, such as linux/amd64, and compare the bytes")
	flag.Parse()
	if *version == "" {
		return errors.New("want -version")
	}
	absolute, err := filepath.Abs(*root)
	if err != nil {
		return err
	}
	r := release{root: absolute, version: *version}
	if r.when, err = commitTime(absolute); err != nil {
		return err
	}
	if *twice != "" {
		return r.same(*twice)
	}
	return r.all(filepath.Join(absolute, *out))
}

// commitTime is SOURCE_DATE_EPOCH, else the time of the commit.
func commitTime(root string) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		said, err := exec.Command("git", "-C", root, "log", "-1", "--format=%ct").Output()
		if err != nil {
			return time.Time{}, fmt.Errorf("the time of the commit: %w", err)
		}
		text = strings.TrimSpace(string(said))
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("the time of the commit: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// stem begins the name of every file.
func (r release) stem() string { return name + "_" + strings.TrimPrefix(r.version, "v") }

// all builds every platform. The list of checksums that a registry reads has the archives and the manifest alone, and
// the list of the whole release, if there is one, has every file.
func (r release) all(out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var registry, whole strings.Builder
	keep := func(file string, data []byte, sums ...*strings.Builder) error {
		for _, s := range sums {
			fmt.Fprintf(s, "%x  %s\n", sha256.Sum256(data), file)
		}
		return os.WriteFile(filepath.Join(out, file), data, 0o644)
	}
	for _, target := range targets {
		start := time.Now()
		made, err := r.build(target, r.root)
		if err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		err = errors.Join(
			keep(r.file(target)+".zip", made.archive, &registry, &whole),
			keep(r.file(target)+".spdx.json", made.contents, &whole),
		)
		if err != nil {
			return err
		}
		fmt.Printf("%-14s %4.0f s (provider)\n", target, time.Since(start).Seconds())
	}
	err := keep(r.stem()+"_manifest.json", []byte(manifest), &registry, &whole)
	if err != nil {
		return err
	}
	if err := keep(r.stem()+"_SHA256SUMS", []byte(registry.String()), &whole); err != nil {
		return err
	}
	return appendTo(filepath.Join(out, "SHA256SUMS"), whole.String())
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// file begins the names of the files of a platform.
func (r release) file(target string) string {
	return r.stem() + "_" + strings.ReplaceAll(target, "/", "_")
}

// built is what there is for a platform: the archive, and the list of what is inside of the binary.
type built struct{ archive, contents []byte }

// build makes the provider for one platform, from a tree, lists what is inside of it, and packs it.
func (r release) build(target, root string) (made built, err error) {
	system, arch, ok := strings.Cut(target, "/")
	if !ok {
		return made, errors.New("want a platform such as linux/amd64")
	}
	work, err := os.MkdirTemp("", "provider-")
	if err != nil {
		return made, err
	}
	defer os.RemoveAll(work)
	binary, suffix := filepath.Join(work, name), ""
	if system == "windows" {
		suffix = ".exe"
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags",
		"-s -w -buildid= -X main.version="+strings.TrimPrefix(r.version, "v"), "-o", binary, ".")
	build.Dir, build.Stderr = filepath.Join(root, "terraform"), os.Stderr
	build.Env = append(os.Environ(),
		"CGO_ENABLED=0", "GOOS="+system, "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=-buildvcs=false")
	if err := build.Run(); err != nil {
		return made, err
	}
	list := exec.Command(filepath.Join(root, "scripts/sbom"), binary, r.version)
	list.Stderr = os.Stderr
	if made.contents, err = list.Output(); err != nil {
		return made, fmt.Errorf("list what is inside: %w", err)
	}
	made.archive, err = r.pack([]packed{
		{binary, name + "_" + r.version + suffix, 0o755},
		{filepath.Join(root, "LICENSE"), "LICENSE", 0o644},
		{filepath.Join(root, "terraform", "README.md"), "README.md", 0o644},
	})
	return made, err
}

// packed is a file of an archive.
type packed struct {
	from, name string
	mode       os.FileMode
}

func (r release) pack(files []packed) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range files {
		data, err := os.ReadFile(f.from)
		if err != nil {
			return nil, err
		}
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: r.when}
		h.SetMode(f.mode)
		into, err := z.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := into.Write(data); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

// same builds a platform here and from a copy of the tree at another path, and compares the archives.
func (r release) same(target string) error {
	elsewhere, err := os.MkdirTemp("", "provider-tree-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(elsewhere)
	if err := r.copyTree(elsewhere); err != nil {
		return fmt.Errorf("copy the tree: %w", err)
	}
	here, err := r.build(target, r.root)
	if err != nil {
		return err
	}
	there, err := r.build(target, elsewhere)
	if err != nil {
		return err
	}
	if !bytes.Equal(here.archive, there.archive) || !bytes.Equal(here.contents, there.contents) {
		return fmt.Errorf("%s differs when it is built again", r.file(target))
	}
	fmt.Printf("%x  %s.zip (twice)\n", sha256.Sum256(here.archive), r.file(target))
	fmt.Printf("%x  %s.spdx.json (twice)\n", sha256.Sum256(here.contents), r.file(target))
	return nil
}

// copyTree copies the files that git knows of, and those that are not committed yet.
func (r release) copyTree(to string) error {
	list, err := exec.Command("git", "-C", r.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return err
	}
	for file := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		from, into := filepath.Join(r.root, file), filepath.Join(to, file)
		info, err := os.Stat(from)
		if errors.Is(err, os.ErrNotExist) {
			continue // removed, and not yet committed
		}
		if err != nil {
			return err
		}
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(into), 0o755),
			os.WriteFile(into, data, info.Mode().Perm())); err != nil {
			return err
		}
	}
	return nil
}
