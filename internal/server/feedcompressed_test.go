package server_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/keyward/keyward"
)

// A snapshot is compressed where that is asked for; a page without a change is too short for it. Compressors are used
// again, also at the same time.
func TestLongAnswersOfTheFeedAreCompressed(t *testing.T) {
	t.Parallel()
	c := newCore(t, settings(t))
	token := c.service("follow")
	for range 20 {
		c.key(keyward.Field[keyward.Limits]{})
	}
	read := func(path, accepted string) (encoding string, lines []byte) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+path, nil)
		c.must(err)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Accept-Encoding", accepted)
		answer, err := http.DefaultTransport.RoundTrip(r)
		c.must(err)
		defer answer.Body.Close()
		body := io.Reader(answer.Body)
		if encoding = answer.Header.Get("Content-Encoding"); encoding != "" {
			body, err = gzip.NewReader(answer.Body)
			c.must(err)
		}
		lines, err = io.ReadAll(body)
		c.must(err)
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s: %.200s", path, answer.Status, lines)
		}
		return encoding, lines
	}
	const snapshot = "/api/v2/feed/snapshot"
	encoding, plain := read(snapshot, "identity")
	if encoding != "" {
		t.Errorf("a snapshot is %s and was not asked to be", encoding)
	}
	keys := bytes.Count(plain, []byte(`{"key":`))
	if keys != 20 {
		t.Fatalf("the snapshot has %d keys", keys)
	}
	for round := range 2 {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				encoding, lines := read(snapshot, "gzip")
				if n := bytes.Count(lines, []byte(`{"key":`)); encoding != "gzip" || n != keys {
					t.Errorf("round %d: encoding %q, %d of %d keys", round, encoding, n, keys)
				}
			})
		}
		all.Wait()
	}
	last := plain[bytes.LastIndexByte(bytes.TrimSpace(plain), '\n')+1:]
	var end struct{ Cursor string }
	c.must(json.Unmarshal(last, &end))
	if encoding, page := read("/api/v2/feed?wait=0&after="+end.Cursor, "gzip"); encoding != "" || len(page) == 0 {
		t.Errorf("a page without a change: encoding %q: %s", encoding, page)
	}
}
