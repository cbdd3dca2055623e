package feedhttp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feed/feedtest"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/packing"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/replica"
)

const benchKeys = 200_000

// loadable is a source of many keys as they usually are.
func loadable() (*feedhttp.Source, *feedhttp.Question) {
	model := &feedtest.Model{}
	ids := id.NewGenerator(time.Now, rand.Reader)
	set := catalogue.Known([]string{"calls:read", "calls:write"})
	ws := id.Workspace(ids.Next())
	for range benchKeys {
		k := apikey.Key{
			ID: id.Key(ids.Next()), Workspace: ws, User: id.User("u-1"), Environment: keyfmt.Live, IsActive: true,
			Permissions: set,
			Limits:      ratelimit.Limits{PerMinute: 600, PerDay: 100_000}, Name: "a key",
		}
		_, _ = rand.Read(k.Value.Digest.Sum[:])
		model.Put(k)
	}
	settings := &feedhttp.Settings{KeyPrefixes: []string{"kw"}, Pepper: "none"}
	return feedhttp.NewSource(feedhttp.SourceConfig{Feed: model, Catalogue: catalogue,
		Settings: func() *feedhttp.Settings { return settings },
		Now:      time.Now, Elapsed: func() time.Duration { return 0 }}), &feedhttp.Question{Name: true}
}

// perKey reports the processor time of a key, which says more than the time that passes on a busy machine.
func perKey(b *testing.B, one func()) {
	b.Helper()
	spent := func() int64 {
		var used syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
		return used.Utime.Nano() + used.Stime.Nano()
	}
	b.ReportAllocs()
	began := spent()
	for b.Loop() {
		one()
	}
	b.ReportMetric(float64(spent()-began)/float64(b.N)/benchKeys, "cpu-ns/key")
}

// BenchmarkSnapshot has the parts of a load, of either end, by long lines and by short ones.
func BenchmarkSnapshot(b *testing.B) {
	source, q := loadable()
	b.Run("long", func(b *testing.B) { snapshotParts(b, source, q) })
	q.Short = true
	b.Run("short", func(b *testing.B) { snapshotParts(b, source, q) })
}

func snapshotParts(b *testing.B, source *feedhttp.Source, q *feedhttp.Question) {
	b.Helper()
	var plain bytes.Buffer
	if err := source.WriteSnapshot(context.Background(), &plain, nil, q); err != nil {
		b.Fatal(err)
	}
	_, keys, _ := bytes.Cut(plain.Bytes(), []byte("\n")) // without the settings
	copied := replica.New()
	load := func(to *replica.Replica) error {
		return to.Load(func(tell func(feed.Change) error) error {
			return feedhttp.EachChange(catalogue, bytes.NewReader(keys), tell)
		})
	}
	if err := load(copied); err != nil || copied.Size() != benchKeys {
		b.Fatal(copied.Size(), err)
	}
	b.Run("sum", func(b *testing.B) { // the measure of the machine
		perKey(b, func() {
			for range benchKeys {
				sha256.Sum256(keys[:57])
			}
		})
	})
	b.Run("write", func(b *testing.B) {
		perKey(b, func() { _ = source.WriteChanges(copied.Each, io.Discard, q) })
	})
	for _, c := range []*packing.Coding{packing.Gzip, packing.Zstd} {
		var packed bytes.Buffer
		pack := func(out io.Writer) {
			z := c.Pack(out)
			for part := range slices.Chunk(plain.Bytes(), 128<<10) {
				_, _ = z.Write(part)
			}
			end, err := z.Cut()
			if err != nil {
				b.Fatal(err)
			}
			_, _ = out.Write(end(nil))
		}
		pack(&packed)
		b.Run(c.Name+" pack", func(b *testing.B) {
			b.Logf("%d bytes a key, and %d packed", plain.Len()/benchKeys, packed.Len()/benchKeys)
			perKey(b, func() { pack(io.Discard) })
		})
		b.Run(c.Name+" unpack", func(b *testing.B) {
			buffer := make([]byte, 128<<10)
			perKey(b, func() {
				var in io.Reader
				if c == packing.Gzip {
					in, _ = gzip.NewReader(bytes.NewReader(packed.Bytes()))
				} else {
					in, _ = packing.Unzstd(bytes.NewReader(packed.Bytes()))
				}
				n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{in}, buffer)
				if err != nil || n != int64(plain.Len()) {
					b.Fatal(n, err)
				}
			})
		})
	}
	b.Run("read", func(b *testing.B) {
		perKey(b, func() {
			n := 0
			if err := feedhttp.EachChange(catalogue, bytes.NewReader(keys),
				func(feed.Change) error { n++; return nil }); err != nil || n < benchKeys {
				b.Fatal(n, err)
			}
		})
	})
	b.Run("read and apply", func(b *testing.B) {
		perKey(b, func() {
			r := replica.New()
			r.Reserve(benchKeys)
			if err := load(r); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// BenchmarkNext is a follower's end of a question while nothing happens, over HTTP to a source's end without callers.
func BenchmarkNext(b *testing.B) {
	f := newFixture(b)
	at, ok, err := f.client.Load(b.Context(), func(feed.Change) error { return nil })
	if err != nil || !ok {
		b.Fatal(ok, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.client.Next(b.Context(), feed.Presence{At: at}); err != nil {
			b.Fatal(err)
		}
	}
}
