package rig

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

//go:embed testdata/fastclock.c
var fastClock []byte

// FastClock gives the environment in which a program written in C has a wall clock that runs speed times as fast from now on, as far
// as it reads gettimeofday. It is compiled here, by the compiler that the race detector needs anyway.
func FastClock(t testing.TB, speed int) []string {
	t.Helper()
	dir := t.TempDir()
	source, library := filepath.Join(dir, "fastclock.c"), filepath.Join(dir, "fastclock.so")
	if err := os.WriteFile(source, fastClock, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-O1", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("compile the clock: %v: %s", err, out)
	}
	return []string{
		"LD_PRELOAD=" + library,
		fmt.Sprintf("FASTCLOCK_SINCE_US=%d", time.Now().UnixMicro()), fmt.Sprintf("FASTCLOCK_SPEED=%d", speed),
	}
}
