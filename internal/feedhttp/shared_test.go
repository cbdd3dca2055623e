package feedhttp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feed/feedtest"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/packing"
)

// countedLoads is a model that counts its loads, each of which waits until open is closed.
type countedLoads struct {
	*feedtest.Model
	loads atomic.Int64
	open  chan struct{}
}

func (c *countedLoads) Load(ctx context.Context, f func(feed.Change) error) (feed.Cursor, bool, error) {
	c.loads.Add(1)
	<-c.open
	return c.Model.Load(ctx, f)
}

func newShared(keys int) (*feedhttp.Source, *countedLoads) {
	model := &countedLoads{Model: &feedtest.Model{}, open: make(chan struct{})}
	for i := range keys {
		model.Put(apikey.Key{ID: id.Key(fmt.Sprint("k-", i)), Workspace: "w", Name: strings.Repeat("name ", 20)})
	}
	settings := &feedhttp.Settings{KeyPrefixes: []string{"kw"}, Pepper: "none"}
	for _, e := range catalogue.Entries() {
		settings.Catalogue = append(settings.Catalogue, feedhttp.Permission{Resource: e.Resource, Action: e.Action})
	}
	began := time.Now()
	return feedhttp.NewSource(feedhttp.SourceConfig{Feed: model, Catalogue: catalogue,
		Settings: func() *feedhttp.Settings { return settings },
		Now:      time.Now, Elapsed: func() time.Duration { return time.Since(began) }}), model
}

// packed is a way to compress, and whether it was used.
func packed(c *packing.Coding) *feedhttp.Packing {
	if c == nil {
		return nil
	}
	return &feedhttp.Packing{Name: c.Name, Used: func() {},
		Begin: func(out io.Writer) feedhttp.Packer { return c.Pack(out) }}
}

// endOf gives the number of a question that an answer repeats.
func endOf(t *testing.T, text string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var end struct{ Nonce string }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil {
		t.Error(err)
	}
	return end.Nonce
}

// Readers that load together get one snapshot, each with the number of its own question; one that asks after a change
// gets another.
func TestReadersThatLoadTogetherShareASnapshot(t *testing.T) {
	t.Parallel()
	for _, c := range []*packing.Coding{nil, packing.Gzip, packing.Zstd} {
		source, model := newShared(1000)
		read := func(nonce string) string {
			var out bytes.Buffer
			q := feedhttp.Question{Name: true, Nonce: nonce}
			if err := source.WriteSnapshot(t.Context(), &out, packed(c), &q); err != nil {
				t.Error(err)
			}
			text := unpacked(t, c, out.Bytes())
			if got := endOf(t, text); got != nonce {
				t.Errorf("the answer to %s repeats %s", nonce, got)
			}
			return text
		}
		var readers sync.WaitGroup
		for i := range 50 {
			readers.Go(func() {
				if n := strings.Count(read(fmt.Sprint("n-", i)), `"key":{`); n != 1000 {
					t.Errorf("%d keys", n)
				}
			})
		}
		for model.loads.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		close(model.open)
		readers.Wait()
		if n := model.loads.Load(); n != 1 {
			t.Errorf("%d loads for 50 readers", n)
		}
		model.Put(apikey.Key{ID: "new", Workspace: "w"})
		source.Ring()
		if text := read("after"); !strings.Contains(text, `"id":"new"`) || model.loads.Load() != 2 {
			t.Errorf("after a change: %d loads", model.loads.Load())
		}
	}
}

func unpacked(t *testing.T, c *packing.Coding, body []byte) string {
	t.Helper()
	text := body
	switch c {
	case packing.Zstd:
		z, err := packing.Unzstd(bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return ""
		}
		text, err = io.ReadAll(z)
		if err != nil {
			t.Error(err)
		}
	case packing.Gzip:
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return ""
		}
		z.Multistream(false) // one member
		if text, err = io.ReadAll(z); err != nil {
			t.Error(err)
		}
	}
	return string(text)
}

func inside(w id.Workspace) account.Reach { return account.Reach{Workspaces: []id.Workspace{w}} }

// A reader of another kind, and one without compression, get none of the others' bytes.
func TestReadersOfOtherKindsShareNoSnapshot(t *testing.T) {
	t.Parallel()
	source, model := newShared(10)
	close(model.open)
	model.Put(apikey.Key{ID: "elsewhere", Workspace: "w2"})
	for i, q := range []feedhttp.Question{
		{}, {Name: true}, {Reach: inside("w")}, {Reach: inside("w2")}, {Reach: inside("w"), Name: true},
	} {
		var out bytes.Buffer
		if err := source.WriteSnapshot(t.Context(), &out, nil, &q); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if strings.Contains(text, "elsewhere") != q.Reach.Workspace("w2") || strings.Contains(text, `"name"`) &&
			!q.Name || strings.Contains(text, `"k-1"`) != q.Reach.Workspace("w") {
			t.Errorf("%d: %s", i, text)
		}
		if n := model.loads.Load(); n != int64(i+1) {
			t.Errorf("%d: %d loads", i, n)
		}
	}
}

// failing is a connection that breaks.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("the connection is broken") }

// Where the first reader's connection breaks, the next one makes the snapshot.
// A snapshot whose connection breaks is forgotten: the next reader makes another, which those after it share.
func TestASnapshotOfABrokenConnectionIsSharedByNobody(t *testing.T) {
	t.Parallel()
	source, model := newShared(5000)
	broken := make(chan error)
	go func() { broken <- source.WriteSnapshot(t.Context(), failing{}, nil, &feedhttp.Question{}) }()
	for model.loads.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	read := func() int {
		var out bytes.Buffer
		if err := source.WriteSnapshot(t.Context(), &out, nil, &feedhttp.Question{}); err != nil {
			t.Error(err)
		}
		return strings.Count(out.String(), `"key":{`)
	}
	whole := make(chan int)
	go func() { whole <- read() }()
	close(model.open)
	if err := <-broken; err == nil {
		t.Error("a broken connection got everything")
	}
	if first, next := <-whole, read(); first != 5000 || next != 5000 {
		t.Errorf("%d and %d keys", first, next)
	}
	if n := model.loads.Load(); n != 2 {
		t.Errorf("%d loads, want that of the broken connection and one for the two others", n)
	}
}

// Readers at one place share the text of a page, each with an end of its own.
func TestReadersAtOnePlaceShareAPage(t *testing.T) {
	t.Parallel()
	for _, c := range []*packing.Coding{nil, packing.Gzip, packing.Zstd} {
		source, model := newShared(100)
		close(model.open)
		at, _, err := source.Load(t.Context(), func(feed.Change) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			model.Put(apikey.Key{ID: id.Key(fmt.Sprint("late-", i)), Workspace: "w"})
		}
		source.Ring()
		for _, nonce := range []string{"one", "two"} {
			found, err := source.Await(t.Context(), feed.Presence{At: at})
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range []feedhttp.Question{{Nonce: nonce}, {Nonce: nonce, Reach: inside("other")}} {
				var out bytes.Buffer
				pack := packed(c)
				used := false
				if pack != nil {
					pack.Used = func() { used = true }
				}
				if err := source.WritePage(&out, pack, &found, &q); err != nil {
					t.Fatal(err)
				}
				text := out.String()
				if used {
					text = unpacked(t, c, out.Bytes())
				}
				want := 50
				if q.Reach.Workspaces != nil {
					want = 0
				}
				if n := strings.Count(text, `"key":{`); n != want || endOf(t, text) != nonce || used != (want > 0 && c != nil) {
					t.Errorf("%d keys, want %d; compressed: %v; %s", n, want, used, endOf(t, text))
				}
			}
		}
	}
}

// A follower asks for the codings that it reads, and no other is taken.
func TestTheClientReadsWhatItAsksFor(t *testing.T) {
	t.Parallel()
	source, model := newShared(3000)
	close(model.open)
	var sent atomic.Pointer[string]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		coding := packing.Accepted(r.Header.Values("Accept-Encoding"))
		if forced := sent.Load(); forced != nil {
			coding = packing.Zstd
		}
		w.Header().Set("Content-Encoding", coding.Name)
		name := coding.Name
		defer sent.CompareAndSwap(nil, &name)
		q := feedhttp.Question{Nonce: r.FormValue("nonce"), Name: true}
		_ = source.WriteSnapshot(r.Context(), w, packed(coding), &q)
	}))
	defer server.Close()
	load := func(unzstd func(io.Reader) (io.ReadCloser, error)) (n int, err error) {
		client := feedhttp.NewClient(feedhttp.ClientConfig{
			HTTP: server.Client(), URL: server.URL, Token: func() string { return "t" }, Limit: 5 * time.Second,
			Random: func() string { return "n" }, Unzstd: unzstd,
		})
		_, _, err = client.Load(t.Context(), func(feed.Change) error { n++; return nil })
		return n, err
	}
	if n, err := load(nil); n != 3000 || err != nil || *sent.Load() != "gzip" {
		t.Errorf("without zstd: %d, %v, %s", n, err, *sent.Load())
	}
	if _, err := load(nil); !errors.Is(err, feedhttp.ErrUnanswered) {
		t.Errorf("zstd that was not asked for: %v", err)
	}
	sent.Store(nil)
	if n, err := load(packing.Unzstd); n != 3000 || err != nil || *sent.Load() != "zstd" {
		t.Errorf("with zstd: %d, %v, %s", n, err, *sent.Load())
	}
}
