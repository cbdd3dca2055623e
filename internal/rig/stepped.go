package rig

import (
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

//go:embed testdata/steppedclock.go.txt
var steppedClock []byte

// BuildStepped builds the command with a wall clock that a SteppedClock sets: it is written in Go and calls no library
// that one could be put in front of. The rest is as Build builds it.
func BuildStepped() (binary string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "keyward-clock-")
	if err != nil {
		return "", nil, err
	}
	defer os.RemoveAll(dir)
	overlay, err := steppedOverlay(dir)
	if err != nil {
		return "", nil, err
	}
	return Build("-overlay", overlay)
}

// steppedOverlay writes an overlay for go build. One that go build is told of already, as by a test of a mutant, is
// part of it.
func steppedOverlay(dir string) (path string, err error) {
	const place = "github.com/keyward/keyward/internal/server"
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", place).Output()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", place, err)
	}
	room := strings.TrimSpace(string(out))
	files, err := givenOverlay()
	if err != nil {
		return "", err
	}
	original := filepath.Join(room, "server.go")
	from := original
	if changed := files[original]; changed != "" {
		from = changed
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return "", err
	}
	const before, after = "\t\to.Now = time.Now\n", "\t\to.Now = steppedNow\n"
	if strings.Count(string(text), before) != 1 {
		return "", fmt.Errorf("%s: want %q once", from, before)
	}
	files[original], files[filepath.Join(room, "steppedclock.go")] = filepath.Join(dir, "server.go"), filepath.Join(dir,
		"clock.go")
	if err := os.WriteFile(files[original], []byte(strings.Replace(string(text), before, after, 1)), 0o600); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "clock.go"), steppedClock, 0o600); err != nil {
		return "", err
	}
	raw, err := json.Marshal(map[string]any{"Replace": files})
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, raw, 0o600)
}

// givenOverlay reads the overlay that GOFLAGS names.
func givenOverlay() (map[string]string, error) {
	for word := range strings.FieldsSeq(os.Getenv("GOFLAGS")) {
		path, ok := strings.CutPrefix(word, "-overlay=")
		if !ok {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var given struct{ Replace map[string]string }
		err = json.Unmarshal(text, &given)
		return given.Replace, err
	}
	return map[string]string{}, nil
}

// SteppedClock sets the wall clock of processes of a program that BuildStepped has built, and of code in the test's
// own process that is given Now.
type SteppedClock struct {
	Env   string // the setting of such a process
	path  string
	ahead atomic.Int64 // seconds
}

// NewSteppedClock makes one that is right.
func NewSteppedClock(t testing.TB) *SteppedClock {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clock")
	return &SteppedClock{Env: "STEPPEDCLOCK_FILE=" + path, path: path}
}

// Now is the time, whose wall clock is set and whose monotonic clock is not: the seconds of the former begin at bit 30
// of the first word of a time that has both.
func (c *SteppedClock) Now() time.Time {
	t := time.Now()
	*(*uint64)(unsafe.Pointer(&t)) += uint64(c.ahead.Load()) << 30
	return t
}

// Set sets it ahead of the machine's by so much, in whole seconds, or behind it.
func (c *SteppedClock) Set(ahead time.Duration) error {
	c.ahead.Store(int64(ahead / time.Second))
	next := c.path + ".next" // the file is whole at every instant
	seconds := binary.LittleEndian.AppendUint64(nil, uint64(int64(ahead/time.Second)))
	if err := os.WriteFile(next, seconds, 0o600); err != nil {
		return err
	}
	return os.Rename(next, c.path)
}
