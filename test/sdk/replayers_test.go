package sdk_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
)

// replayInPython makes the calls with the blocking client and the one for asyncio by turns.
func replayInPython(t *testing.T, calls []call) []outcome {
	return replayBy(t, calls, "../../sdk/python/tests", "python3", "replay.py")
}

// replayInTypeScript makes the calls with the built package.
func replayInTypeScript(t *testing.T, calls []call) []outcome {
	command := binary(t)
	built.Do(func() { run(t, command, typescript, "npm", "run", "--silent", "build") })
	return replayBy(t, calls, typescript+"/test", "node", "replay.mjs")
}

// replayBy runs a program that reads calls and writes outcomes.
func replayBy(t *testing.T, calls []call, dir, name string, args ...string) []outcome {
	t.Helper()
	text, err := json.Marshal(calls)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	if cmd.Dir, err = filepath.Abs(dir); err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), &told
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, told.Bytes())
	}
	var outcomes []outcome
	decoder := json.NewDecoder(bytes.NewReader(out))
	decoder.UseNumber()
	if err := decoder.Decode(&outcomes); err != nil {
		t.Fatal(err)
	}
	return outcomes
}
