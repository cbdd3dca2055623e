// Command release builds what a release is made of, from the tree that is checked out: binaries with what they need in
// an archive for each platform, packages for Debian and Red Hat, a container image, a list of what is inside of each
// binary (SPDX), the clients' packages for npm and Python, and the checksums of them all. From the same commit, with
// the same Go and the same packages of npm, it makes the same bytes.
//
//	go run -C tools/release . -version v0.1.0                    everything, into bin/release
//	go run -C tools/release . -version v0.1.0 -twice linux/amd64 one platform and the clients, built twice and compared
//	go run -C tools/release . -version v0.1.0 -sdks -out DIR     the clients alone
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// targets are the platforms of a release.
var targets = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// tags leave golang.org/x/net/trace out of gRPC, whose pages look methods up by their names.
const tags = "grpcnotrace"

// release is one run.
type release struct {
	root    string // of the tree
	out     string
	version string    // with a v
	when    time.Time // of the commit: the time of every file inside

	files     []string // of the tree
	installed string   // the packages of npm with which the TypeScript client is built
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run() error {
	root := flag.String("root", "../..", "the tree")
	out := flag.String("out", "bin/release", "the folder for what is built, below the tree")
	version := flag.String("version", "", "the version, such as v0.1.0")
	twice := flag.String("twice", "", "build one platform twice, such as linux/amd64, and compare the bytes")
	clients := flag.Bool("sdks", false, "build the clients' packages alone")
	flag.Parse()
	r := release{version: *version}
	if r.version == "" {
		return errors.New("want -version")
	}
	var err error
	if r.root, err = filepath.Abs(*root); err != nil {
		return err
	}
	if r.out = *out; !filepath.IsAbs(r.out) {
		r.out = filepath.Join(r.root, *out)
	}
	if r.files, err = r.list(); err != nil {
		return err
	}
	r.installed = filepath.Join(r.root, "sdk/typescript/node_modules")
	if r.when, err = r.commitTime(); err != nil {
		return err
	}
	if *clients {
		return r.sdks(r.out)
	}
	if *twice != "" {
		return r.same(*twice)
	}
	return r.all()
}

// commitTime is SOURCE_DATE_EPOCH, else the time of the commit.
func (r *release) commitTime() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		said, err := r.command(nil, "git", "log", "-1", "--format=%ct").Output()
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

// command runs in the tree.
func (r *release) command(env []string, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir, c.Env, c.Stderr = r.root, append(os.Environ(), env...), os.Stderr
	return c
}

// all makes a whole release.
func (r *release) all() error {
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	for _, target := range targets {
		start := time.Now()
		if err := r.target(target, r.out); err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		fmt.Printf("%-14s %4.0f s\n", target, time.Since(start).Seconds())
	}
	if err := r.sdks(r.out); err != nil {
		return fmt.Errorf("clients: %w", err)
	}
	if err := r.image(); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if err := r.checksums(); err != nil {
		return err
	}
	return r.notes()
}

// target builds all for one platform into a folder.
func (r *release) target(target, dir string) error {
	system, arch, ok := strings.Cut(target, "/")
	if !ok || !slices.Contains(targets, target) {
		return fmt.Errorf("want one of %s", strings.Join(targets, ", "))
	}
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	binary := filepath.Join(work, "keyward")
	if system == "windows" {
		binary += ".exe"
	}
	env := []string{
		"CGO_ENABLED=0", "GOOS=" + system, "GOARCH=" + arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=-buildvcs=false",
	}
	build := r.command(
		env, "go", "build", "-trimpath", "-tags", tags, "-ldflags", "-s -w -buildid= -X main.version="+r.version, "-o",
		binary,
		"./cmd/keyward",
	)
	if err := build.Run(); err != nil {
		return err
	}
	if err := small(binary); err != nil {
		return err
	}
	name := fmt.Sprintf("keyward_%s_%s_%s", strings.TrimPrefix(r.version, "v"), system, arch)
	contents, err := r.command(nil, "scripts/sbom", binary, r.version).Output()
	if err != nil {
		return fmt.Errorf("list what is inside: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".spdx.json"), contents, 0o644); err != nil {
		return err
	}
	files := []file{
		{binary, filepath.Base(binary), 0o755},
		{filepath.Join(r.root, "LICENSE"), "LICENSE", 0o644},
		{filepath.Join(r.root, "README.md"), "README.md", 0o644},
		{filepath.Join(r.root, "CHANGELOG.md"), "CHANGELOG.md", 0o644},
	}
	if system == "windows" {
		return r.zip(filepath.Join(dir, name+".zip"), files)
	}
	if err := r.tar(filepath.Join(dir, name+".tar.gz"), files); err != nil {
		return err
	}
	if system == "linux" {
		return r.packages(dir, arch, binary)
	}
	return nil
}

// image builds the container's image for this machine's architecture.
func (r *release) image() error {
	archive := filepath.Join(r.out, "keyward_"+strings.TrimPrefix(r.version, "v")+"_image.tar")
	c := r.command(
		[]string{"SOURCE_DATE_EPOCH=" + strconv.FormatInt(r.when.Unix(), 10)}, "go", "run", "-C", "tools/image", ".",
		"-context", "../..", "-dockerfile", "../../deploy/Dockerfile", "-build-arg", "VERSION="+r.version, "-tag",
		"keyward:"+strings.TrimPrefix(r.version, "v"), "-out", archive,
	)
	c.Stdout = os.Stdout
	return c.Run()
}

// checksums writes SHA256SUMS, in the form that sha256sum -c reads.
func (r *release) checksums() error {
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(data), e.Name())
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(b.String()), 0o644)
}

// notes takes the version's section out of the changelog.
func (r *release) notes() error {
	text, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	head := "## [" + strings.TrimPrefix(r.version, "v") + "]"
	_, section, found := strings.Cut(string(text), head)
	if !found {
		section = "\nThis version has no section in CHANGELOG.md.\n"
	}
	if _, rest, ok := strings.Cut(section, "\n"); ok { // the date
		section = rest
	}
	section, _, _ = strings.Cut(section, "\n## [")
	return os.WriteFile(filepath.Join(r.out, "NOTES.md"), []byte(strings.TrimSpace(section)+"\n"), 0o644)
}

// copied is the release of a copy of the tree.
func (r *release) copied() (*release, error) {
	dir, err := os.MkdirTemp("", "release-tree-")
	if err != nil {
		return nil, err
	}
	other := *r
	other.root = dir
	return &other, r.copyTree(dir, "")
}

// list gives the names of the tree's files, without what is ignored.
func (r *release) list() ([]string, error) {
	list, err := r.command(nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	return strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00"), err
}

// copyTree copies the files of a part of the tree to the same place below a folder.
func (r *release) copyTree(dir, part string) error {
	for _, name := range r.files {
		if !strings.HasPrefix(name, part) {
			continue
		}
		from, to := filepath.Join(r.root, name), filepath.Join(dir, name)
		info, err := os.Lstat(from)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed, and not yet committed
		}
		if err != nil {
			return err
		}
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, data, info.Mode().Perm())); err != nil {
			return err
		}
	}
	return nil
}

// same builds a platform here and in a copy of the tree at another path, and compares every file.
func (r *release) same(target string) error {
	dirs := make([]string, 2)
	for i := range dirs {
		dir, err := os.MkdirTemp("", "release-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		dirs[i] = dir
	}
	copied, err := r.copied()
	if err != nil {
		return fmt.Errorf("copy the tree: %w", err)
	}
	defer os.RemoveAll(copied.root)
	if err := errors.Join(r.target(target, dirs[0]), copied.target(target, dirs[1])); err != nil {
		return err
	}
	if err := errors.Join(r.sdks(dirs[0]), copied.sdks(dirs[1])); err != nil {
		return err
	}
	entries, err := os.ReadDir(dirs[0])
	if err != nil {
		return err
	}
	for _, e := range entries {
		var data [2][]byte
		for i, dir := range dirs {
			if data[i], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
		if !bytes.Equal(data[0], data[1]) {
			return fmt.Errorf("%s differs when it is built again", e.Name())
		}
		fmt.Printf("%x  %s (twice)\n", sha256.Sum256(data[0]), e.Name())
	}
	return r.noLookups()
}
