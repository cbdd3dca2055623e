package mcp

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/keyward/keyward"
)

// Vault keeps the values of new keys in files of their own, in one directory that no other user of the machine reads.
type Vault struct {
	dir  string
	root *os.Root
}

// OpenVault opens a directory that is there, and belongs to this user alone.
func OpenVault(dir string) (*Vault, error) {
	whole, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("directory for secrets: %w", err)
	}
	root, err := os.OpenRoot(whole)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("directory for secrets: make it first, for yourself alone: mkdir -m 700 %s", whole)
	}
	if err != nil {
		return nil, fmt.Errorf("directory for secrets: %w", err)
	}
	about, err := root.Stat(".")
	if err == nil && about.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%s: other users of this machine may look into it: chmod 700 it", whole)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("directory for secrets: %w", err), root.Close())
	}
	return &Vault{dir: whole, root: root}, nil
}

// Close lets go of the directory.
func (v *Vault) Close() error { return v.root.Close() }

// keep makes a key and writes its value into a new file. The file is there before the key is: a value that could not be
// written would be lost. The answer holds the name of the file, and no value.
func (v *Vault) keep(name string, mint func() (keyward.CreatedKey, error)) (out madeOut, err error) {
	var chance [4]byte
	_, _ = rand.Read(chance[:]) // never fails
	file := slug(name) + "-" + hex.EncodeToString(chance[:]) + ".key"
	f, err := v.root.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return out, fmt.Errorf("the file for the value: %w", err)
	}
	made, err := mint()
	if err == nil {
		if err = write(f, made.Key.Reveal()); err != nil {
			err = fmt.Errorf("key %s was made, and its value could not be written: rotate it: %w", made.APIKey.ID, err)
		}
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		return out, errors.Join(err, v.root.Remove(file))
	}
	shown := keyOf(&made.APIKey)
	return madeOut{Key: &shown, File: filepath.Join(v.dir, file), Next: fileNext}, nil
}

func write(f *os.File, value string) error {
	if _, err := f.WriteString(value + "\n"); err != nil {
		return err
	}
	return f.Sync()
}

// slug makes a part of a file's name out of a key's: letters, digits and dashes alone.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 40 {
			break
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "key"
}
