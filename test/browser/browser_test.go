// Package browser_test tells the stories of the dashboard in a real Chromium, against a real server: from signing in
// to the engine's answer for a key. The stories are told by test/browser/*.mjs; each is a test here.
package browser_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"
)

// fewest is how many stories there are at least: a run that tells less of them proves nothing.
const fewest = 25

const patience = 18 * time.Minute

// outcome is how a story ended, as its teller says it.
type outcome struct {
	Name  string
	OK    bool
	Error string
	MS    int
	// Figures are what was measured.
	Figures []string
}

func TestStories(t *testing.T) {
	t.Parallel()
	for _, need := range []string{"node", "chromium", "chromium-headless-shell"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Fatalf("%s is needed: make test-deps installs it", need)
		}
	}
	if _, err := os.Stat("node_modules/playwright-core/package.json"); err != nil {
		t.Fatal("the packages of the browser's tests are needed: make test-deps installs them")
	}
	s := found(t)
	s.Shots, s.Only = os.Getenv("KEYWARD_BROWSER_SHOTS"), os.Getenv("KEYWARD_BROWSER_ONLY")
	s.Whole = os.Getenv("KEYWARD_BROWSER_WHOLE") != "" || os.Getenv("KEYWARD_BROWSER_MEASURE") != ""
	told := tell(t, s)
	if s.Only == "" && len(told) < fewest {
		t.Errorf("only %d stories were told, want at least %d", len(told), fewest)
	}
	for _, o := range told {
		t.Run(o.Name, func(t *testing.T) {
			t.Logf("%d ms", o.MS)
			for _, f := range o.Figures {
				t.Log(f)
			}
			if !o.OK {
				t.Error(o.Error)
			}
		})
	}
}

// tell runs the stories and reads how each ended. A teller that breaks off fails the test.
func tell(t *testing.T, s setup) []outcome {
	t.Helper()
	given, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "stories.mjs")
	node.Env = append(os.Environ(), "KEYWARD_BROWSER="+string(given), "TMPDIR="+t.TempDir())
	var complaints bytes.Buffer
	node.Stderr = &complaints
	out, err := node.Output()
	if err != nil {
		t.Errorf("the stories broke off: %v\n%s", err, complaints.Bytes())
	}
	var told []outcome
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var o outcome
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			t.Errorf("not a story's end: %s", lines.Bytes())
			continue
		}
		told = append(told, o)
	}
	return told
}
