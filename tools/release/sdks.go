package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// semantic is a version with a v, as a tag has it.
var semantic = regexp.MustCompile(`^v(\d+\.\d+\.\d+)(?:-(.+))?$`)

// npmVersion is the release's version as npm reads it. A commit without a tag is 0.0.0 with its name behind it.
func (r *release) npmVersion() string {
	if semantic.MatchString(r.version) {
		return strings.TrimPrefix(r.version, "v")
	}
	return "0.0.0-g" + r.version
}

// pythonVersion is the same as Python reads it (PEP 440): v1.2.0-rc.1 is 1.2.0rc1, and what is no release has a local
// part, 1.2.0+3.g1a2b3c4.
func (r *release) pythonVersion() string {
	parts := semantic.FindStringSubmatch(r.version)
	if parts == nil {
		return "0.0.0+g" + strings.ReplaceAll(r.version, "-", ".")
	}
	if parts[2] == "" {
		return parts[1]
	}
	if before := regexp.MustCompile(`^(alpha|beta|rc)\.?(\d+)$`).FindStringSubmatch(parts[2]); before != nil {
		return parts[1] + map[string]string{"alpha": "a", "beta": "b", "rc": "rc"}[before[1]] + before[2]
	}
	return parts[1] + "+" + strings.ReplaceAll(parts[2], "-", ".")
}

// sdks builds the packages of npm and of Python into a folder, each from a copy of its folder with the release's
// version.
func (r *release) sdks(dir string) error {
	if _, err := os.Stat(r.installed); err != nil {
		return fmt.Errorf("the packages of sdk/typescript are needed: make test-deps installs them: %w", err)
	}
	work, err := os.MkdirTemp("", "release-sdks-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := r.copyTree(work, "sdk/"); err != nil {
		return err
	}
	license, err := os.ReadFile(filepath.Join(r.root, "LICENSE"))
	if err != nil {
		return err
	}
	// The build of Python reads the first, and npm packs the others.
	for _, place := range []string{"", "sdk/typescript", "sdk/element"} {
		if err := os.WriteFile(filepath.Join(work, place, "LICENSE"), license, 0o644); err != nil {
			return err
		}
	}
	return errors.Join(r.typescript(work+"/sdk/typescript", dir), r.element(work+"/sdk/element", dir),
		r.python(work+"/sdk/python", dir))
}

// typescript builds the client's package of npm.
func (r *release) typescript(from, dir string) error {
	err := errors.Join(
		says(from+"/package.json", `"version": "0.1.0"`, `"version": "`+r.npmVersion()+`"`),
		says(from+"/src/version.ts", `"0.1.0"`, `"`+r.npmVersion()+`"`),
		os.Symlink(r.installed, from+"/node_modules"),
	)
	if err != nil {
		return err
	}
	if err := r.quiet(from, "npm", "run", "--silent", "build"); err != nil {
		return err
	}
	return r.quiet(from, "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", dir)
}

// element builds the package of npm with the bytes of the server's element.
func (r *release) element(from, dir string) error {
	if err := says(from+"/package.json", `"version": "0.1.0"`, `"version": "`+r.npmVersion()+`"`); err != nil {
		return err
	}
	if err := r.quiet(r.root, "go", "run", "./sdk/element/build", "-plain", from); err != nil {
		return err
	}
	return r.quiet(from, "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", dir)
}

// python builds the wheel and the source archive.
func (r *release) python(from, dir string) error {
	if err := says(from+"/src/keyward/_version.py", `"0.1.0"`, `"`+r.pythonVersion()+`"`); err != nil {
		return err
	}
	return r.quiet(from, "python3", "-B", "scripts/build.py", dir)
}

// quiet runs a program in a folder, and shows what it says where it fails.
func (r *release) quiet(dir, name string, args ...string) error {
	c := r.command([]string{"GOFLAGS=-buildvcs=false"}, name, args...)
	c.Dir, c.Stderr = dir, nil
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s in %s: %w\n%s", name, filepath.Base(dir), err, out)
	}
	return nil
}

// says puts a version in the place of the one that a file has.
func says(path, was, is string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if strings.Count(string(text), was) != 1 {
		return fmt.Errorf("%s does not say %s once", path, was)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(text), was, is, 1)), 0o644)
}
