package logarchive_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The commands on the page for operators sign an archive, and find a change to it.
func TestArchivesAreSignedAsThePageSays(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "openssl genpkey")
	block, _, ends := strings.Cut(rest, "```")
	commands := strings.Split(strings.TrimSpace("openssl genpkey"+block), "\n")
	if !found || !ends || len(commands) != 3 {
		t.Fatalf("the page has no three lines with commands, but %q", commands)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "keyward-log-0001.ndjson")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do := func(command string) error {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		t.Logf("%s\n%s", command, out)
		return err
	}
	write("{\"format\":\"keyward log segment 1\"}\n")
	for _, command := range commands {
		if err := do(command); err != nil {
			t.Fatal(err)
		}
	}
	write("{\"format\":\"keyward log segment 2\"}\n")
	if do(commands[2]) == nil {
		t.Error("a changed archive passes")
	}
}
