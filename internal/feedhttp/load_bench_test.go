package feedhttp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feed/feedtest"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit"
)

const benchKeys = 20_000

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

func BenchmarkSnapshot(b *testing.B) {
	source, q := loadable()
	var plain, packed bytes.Buffer
	if err := source.WriteSnapshot(context.Background(), &plain, q); err != nil {
		b.Fatal(err)
	}
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	_, _ = z.Write(plain.Bytes())
	_ = z.Close()
	b.Logf("%d bytes a key, and %d packed", plain.Len()/benchKeys, packed.Len()/benchKeys)
	b.Run("write", func(b *testing.B) {
		perKey(b, func() { _ = source.WriteSnapshot(context.Background(), io.Discard, q) })
	})
	b.Run("pack", func(b *testing.B) {
		perKey(b, func() {
			z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
			_, _ = z.Write(plain.Bytes())
			_ = z.Close()
		})
	})
	b.Run("unpack", func(b *testing.B) {
		perKey(b, func() {
			r, _ := gzip.NewReader(bytes.NewReader(packed.Bytes()))
			_, _ = io.Copy(io.Discard, r)
		})
	})
	_, keys, _ := bytes.Cut(plain.Bytes(), []byte("\n")) // without the settings
	b.Run("read", func(b *testing.B) {
		perKey(b, func() {
			n := 0
			if err := feedhttp.EachChange(catalogue, bytes.NewReader(keys),
				func(feed.Change) error { n++; return nil }); err != nil || n < benchKeys {
				b.Fatal(n, err)
			}
		})
	})
}
