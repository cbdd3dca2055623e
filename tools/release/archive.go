package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers the format
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers the format
)

// file is one that goes into an archive.
type file struct {
	from string
	name string
	mode os.FileMode
}

// tar writes a compressed archive in which nothing tells of the machine that made it.
func (r *release) tar(path string, list []file) error {
	return create(path, func(w io.Writer) error {
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		t := tar.NewWriter(z)
		for _, f := range list {
			data, err := os.ReadFile(f.from)
			if err != nil {
				return err
			}
			h := &tar.Header{Name: f.name, Mode: int64(f.mode), Size: int64(len(data)), ModTime: r.when, Format: tar.FormatPAX}
			if err := t.WriteHeader(h); err != nil {
				return err
			}
			if _, err := t.Write(data); err != nil {
				return err
			}
		}
		return errors.Join(t.Close(), z.Close())
	})
}

func (r *release) zip(path string, list []file) error {
	return create(path, func(w io.Writer) error {
		z := zip.NewWriter(w)
		for _, f := range list {
			data, err := os.ReadFile(f.from)
			if err != nil {
				return err
			}
			h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: r.when}
			h.SetMode(f.mode)
			into, err := z.CreateHeader(h)
			if err != nil {
				return err
			}
			if _, err := into.Write(data); err != nil {
				return err
			}
		}
		return z.Close()
	})
}

func create(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// packages writes the packages of one architecture. They bring the command, the unit of systemd and the file of its
// settings, which an update leaves as it is. Nothing is started: the settings come first.
func (r *release) packages(dir, arch, binary string) error {
	unit, err := r.unit(filepath.Dir(binary))
	if err != nil {
		return err
	}
	content := func(from, to, kind string, mode os.FileMode) *files.Content {
		return &files.Content{Source: from, Destination: to, Type: kind,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: r.when}}
	}
	for _, format := range []string{"deb", "rpm"} {
		info := nfpm.WithDefaults(&nfpm.Info{
			Name: "keyward", Arch: arch, Platform: "linux", Version: strings.TrimPrefix(r.version, "v"), Release: "1",
			Section: "admin", Priority: "optional", License: "Apache-2.0", Homepage: "https://github.com/keyward/keyward",
			Maintainer: "The Keyward authors <keyward@users.noreply.github.com>", Vendor: "Keyward",
			Description: "Self-hosted API keys\n Keys that are minted within their creator's permissions, verified on every call,\n and revoked at once.",
			MTime:       r.when,
			Overridables: nfpm.Overridables{Contents: files.Contents{
				content(binary, "/usr/bin/keyward", files.TypeFile, 0o755),
				content(unit, "/usr/lib/systemd/system/keyward.service", files.TypeFile, 0o644),
				content(
					filepath.Join(r.root, "deploy/systemd/keyward.env.example"), "/etc/keyward/keyward.env", files.TypeConfigNoReplace,
					0o600,
				),
				content(filepath.Join(r.root, "LICENSE"), "/usr/share/doc/keyward/copyright", files.TypeFile, 0o644),
			}, RPM: nfpm.RPM{BuildHost: "keyward", Group: "System Environment/Daemons", Summary: "Self-hosted API keys"}},
		})
		packager, err := nfpm.Get(format)
		if err != nil {
			return err
		}
		if err := nfpm.PrepareForPackager(info, format); err != nil {
			return err
		}
		err = create(
			filepath.Join(dir, packager.ConventionalFileName(info)),
			func(w io.Writer) error { return packager.Package(info, w) },
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// unit is the unit of systemd with the path at which packages put the command.
func (r *release) unit(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(r.root, "deploy/systemd/keyward.service"))
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "keyward.service")
	return path, os.WriteFile(
		path, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/keyward", "/usr/bin/keyward")), 0o644,
	)
}
