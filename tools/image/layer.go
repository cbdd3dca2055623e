package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// layer gathers the files of an image.
type layer struct {
	tar  *tar.Writer
	raw  bytes.Buffer
	at   time.Time
	dirs map[string]bool
}

func newLayer(at time.Time) *layer {
	l := &layer{at: at, dirs: map[string]bool{"/": true}}
	l.tar = tar.NewWriter(&l.raw)
	return l
}

// add puts the file or folder at outside to the path inside, with its owner.
func (l *layer) add(outside, inside string, uid, gid int) error {
	return filepath.WalkDir(outside, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(outside, file)
		if err != nil {
			return err
		}
		to := path.Join(inside, filepath.ToSlash(rest))
		if err := l.parents(to); err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return l.dir(to, uid, gid)
		case info.Mode()&fs.ModeSymlink != 0: // the file that it leads to, since that is what is wanted
			if info, err = os.Stat(file); err != nil {
				return err
			}
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is no regular file", file)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: strings.TrimPrefix(to, "/"), Size: int64(len(content)), Mode: int64(info.Mode().Perm()),
			Uid: uid, Gid: gid, ModTime: l.at, Format: tar.FormatPAX,
		}
		if err := l.tar.WriteHeader(h); err != nil {
			return err
		}
		_, err = l.tar.Write(content)
		return err
	})
}

func (l *layer) parents(of string) error {
	dir := path.Dir(of)
	if l.dirs[dir] {
		return nil
	}
	if err := l.parents(dir); err != nil {
		return err
	}
	return l.dir(dir, 0, 0)
}

func (l *layer) dir(at string, uid, gid int) error {
	if l.dirs[at] {
		return nil
	}
	l.dirs[at] = true
	return l.tar.WriteHeader(
		&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(at, "/") + "/", Mode: 0o755, Uid: uid, Gid: gid,
			ModTime: l.at, Format: tar.FormatPAX},
	)
}

func (l *layer) finish() (v1.Layer, error) {
	if err := l.tar.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(l.raw.Bytes())), nil },
	)
}

// owner reads --chown as numbers, since a scratch image has no names.
func owner(s string) (uid, gid int, err error) {
	if s == "" {
		return 0, 0, nil
	}
	u, g, ok := strings.Cut(s, ":")
	if !ok {
		g = u
	}
	uid, errUser := strconv.Atoi(u)
	gid, errGroup := strconv.Atoi(g)
	if err := errors.Join(errUser, errGroup); err != nil {
		return 0, 0, fmt.Errorf("--chown=%s: want numbers", s)
	}
	return uid, gid, nil
}

func unpackLayer(l v1.Layer, root string) error {
	r, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer r.Close()
	in, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer in.Close()
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(h.Name, "/")
		switch h.Typeflag {
		case tar.TypeDir:
			err = in.Mkdir(name, fs.FileMode(h.Mode))
			if errors.Is(err, fs.ErrExist) {
				err = nil
			}
		case tar.TypeReg:
			var content []byte
			if content, err = io.ReadAll(t); err == nil {
				err = in.WriteFile(name, content, fs.FileMode(h.Mode))
			}
		default:
			err = fmt.Errorf("%s: type %c is not supported", h.Name, h.Typeflag)
		}
		if err != nil {
			return err
		}
		if os.Getuid() == 0 {
			if err := in.Chown(name, h.Uid, h.Gid); err != nil {
				return err
			}
		}
	}
}
