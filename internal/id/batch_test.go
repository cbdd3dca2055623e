package id_test

import (
	"crypto/rand"
	"encoding/binary"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/id"
)

// counter is a source whose every byte group is another, and that counts how often it is read.
type counter struct {
	reads int
	next  uint64
}

func (c *counter) Read(b []byte) (int, error) {
	c.reads++
	for i := 0; i+8 <= len(b); i += 8 {
		c.next++
		binary.BigEndian.PutUint64(b[i:], c.next)
	}
	return len(b), nil
}

func TestABatchOfRandomnessIsReadOnceAndEachPieceIsUsedOnce(t *testing.T) {
	t.Parallel()
	source := &counter{}
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	g := id.NewGenerator(func() time.Time { return now }, source).InBatches()
	seen := map[string]bool{}
	for range 640 {
		seen[g.Next()[19:]] = true // the random half
	}
	if len(seen) != 640 || source.reads != 10 {
		t.Errorf("%d random halves out of %d readings, of 640 ids", len(seen), source.reads)
	}
	source = &counter{}
	g = id.NewGenerator(func() time.Time { return now }, source)
	for range 10 {
		g.Next()
	}
	if source.reads != 10 || source.next != 10 {
		t.Errorf("without batches %d readings of %d pieces, for 10 ids", source.reads, source.next)
	}
}

func BenchmarkNext(b *testing.B) {
	for name, g := range map[string]*id.Generator{"single": id.NewGenerator(time.Now, rand.Reader),
		"batch": id.NewGenerator(time.Now, rand.Reader).InBatches()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g.Next()
			}
		})
	}
}
