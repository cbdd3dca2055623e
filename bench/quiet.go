//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const (
	quietMost  = 300                     // requests of each kind in a row
	quietPause = time.Millisecond        // between two of them
	quietTime  = 1200 * time.Millisecond // for a row at most
)

// quietKinds are the quiet tenant's requests, by their places in tails.
var quietKinds = [...]string{"verification", "list", "creation"}

// tails are the 99th percentiles of the quiet tenant's requests, in microseconds, by kind.
type tails []float64

// worst is the kind whose time grew the most.
func (t tails) worst(alone tails) (kind int, ratio float64) {
	for i := range t {
		if r := t[i] / alone[i]; r > ratio {
			kind = i
			ratio = r
		}
	}
	return kind, ratio
}

// quiet measures the quiet tenant, whose process does nothing else.
func (b *beside) quiet() (tails, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	words, err := json.Marshal(
		quietOrder{Addr: b.addr, Root: b.root, Key: b.live, Reader: b.reader, Workspace: b.site.ws,
			Span: min(b.l.span, quietTime)},
	)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, childWord, "quiet")
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(words), &out, b.l.log
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("the quiet tenant: %w", err)
	}
	var found tails
	return found, json.Unmarshal(out.Bytes(), &found)
}

// quietOrder holds the instructions for the quiet tenant's process.
type quietOrder struct {
	Addr, Root, Key, Reader, Workspace string
	Span                               time.Duration
}

func init() { children["quiet"] = quietChild }

func quietChild([]string) error {
	var o quietOrder
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return err
	}
	calls := []struct{ method, path, token, body string }{
		{http.MethodPost, "/api/v2/api-keys/verify", o.Root, `{"key":"` + o.Key + `","permissions":["calls:read"]}`},
		{http.MethodGet, "/api/v2/api-keys?limit=20", o.Reader, ""},
		{
			http.MethodPost, "/api/v2/api-keys", o.Root,
			`{"workspaceId":"` + o.Workspace + `","userId":"u-1","name":"quiet","permissions":["calls:read"]}`,
		},
	}
	took := make([][]time.Duration, len(calls))
	for start := time.Now(); time.Since(start) < o.Span && len(took[0]) < quietMost || len(took[0]) < 5; {
		for i, c := range calls {
			time.Sleep(quietPause)
			r, err := http.NewRequest(c.method, "http://"+o.Addr+c.path, strings.NewReader(c.body))
			if err != nil {
				return err
			}
			r.Header.Set("Authorization", "Bearer "+c.token)
			if c.body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			began := time.Now()
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				return err
			}
			text, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode/100 != 2 {
				return fmt.Errorf("%s %s: %s: %s (%w)", c.method, c.path, answer.Status, text, err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	found := make(tails, len(took))
	for i, all := range took {
		slices.Sort(all)
		found[i] = micros(all[len(all)*99/100])
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}
