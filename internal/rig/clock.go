package rig

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

//go:embed testdata/fastclock.c
var fastClock []byte

//go:embed testdata/handclock.c
var handClock []byte

// preload compiles a library, and gives the setting that puts it in front of a program's own.
func preload(t testing.TB, text []byte) string {
	t.Helper()
	dir := t.TempDir()
	source, library := filepath.Join(dir, "clock.c"), filepath.Join(dir, "clock.so")
	if err := os.WriteFile(source, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-O1", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("compile the clock: %v: %s", err, out)
	}
	return "LD_PRELOAD=" + library
}

// HandClock is the wall clock of a program written in C, as far as it reads gettimeofday, and stands where it is set.
type HandClock struct {
	file *os.File
	env  []string
}

// NewHandClock makes one.
func NewHandClock(t testing.TB, at time.Time) *HandClock {
	t.Helper()
	path := filepath.Join(t.TempDir(), "time")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	c := &HandClock{f, []string{preload(t, handClock), "HANDCLOCK_FILE=" + path}}
	c.Set(at)
	return c
}

// Set moves it.
func (c *HandClock) Set(at time.Time) {
	_, _ = c.file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(at.UnixMicro())), 0)
}

// FastClock gives the environment in which a program written in C has a wall clock that runs speed times as fast from
// now on, as far as it reads gettimeofday. It is compiled here, by the compiler that the race detector needs anyway.
func FastClock(t testing.TB, speed int) []string {
	t.Helper()
	return []string{
		preload(t, fastClock),
		fmt.Sprintf("FASTCLOCK_SINCE_US=%d", time.Now().UnixMicro()), fmt.Sprintf("FASTCLOCK_SPEED=%d", speed),
	}
}
