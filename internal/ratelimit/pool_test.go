package ratelimit

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestNoTwoTablesShareAnEntry takes and gives back tables of all sizes at random, and marks each all over while it is
// out.
func TestNoTwoTablesShareAnEntryAndABlockThatIsEmptyIsLetGo(t *testing.T) {
	t.Parallel()
	var p pool
	r := rand.New(rand.NewPCG(1, 2))
	type lent struct {
		table
		mark uint32
	}
	var out []lent
	give := func(i int) {
		one := out[i]
		for j := range one.entries {
			if one.entries[j].used != one.mark {
				t.Fatalf("entry %d of a table of %d has become another's", j, len(one.entries))
			}
		}
		p.give(one.table)
		out[i] = out[len(out)-1]
		out = out[:len(out)-1]
	}
	for step := range uint32(3000) {
		if len(out) > 0 && r.IntN(100) < 48 {
			give(r.IntN(len(out)))
			continue
		}
		size := 8 << min(r.IntN(10), r.IntN(15))
		one := lent{p.take(size), step + 1}
		if len(one.entries) != size || cap(one.entries) != size {
			t.Fatalf("asked for %d, got %d", size, len(one.entries))
		}
		for j := range one.entries {
			if one.entries[j] != (entry{}) {
				t.Fatalf("entry %d of a new table is not empty", j)
			}
			one.entries[j].used = one.mark
		}
		out = append(out, one)
	}
	if p.held() == 0 {
		t.Error("no block was made")
	}
	for len(out) > 0 {
		give(len(out) - 1)
	}
	if p.held() != 0 {
		t.Errorf("%d bytes are held for nobody", p.held())
	}
	for size := range p.open {
		if len(p.open[size]) > 0 {
			t.Errorf("an empty block for tables of 2^%d is kept", size)
		}
	}
}

func TestAPlaceLeadsToTheStateOfItsKeyHoweverLargeTheTable(t *testing.T) {
	t.Parallel()
	var id [16]byte
	for i := range 1000 {
		id[0], id[15], id[7] = byte(i), byte(i>>8), byte(i*7)
		h, place := spread(&id), SlotOf(id)
		if got, want := uint64(place>>placeBits), h>>(64-shardBits); got != want {
			t.Fatalf("part %d, want %d", got, want)
		}
		s := shard{pool: &pool{}}
		for range 2 + i%500 {
			other := id
			other[3] = byte(s.live + 1)
			other[4] = byte((s.live + 1) >> 8)
			s.insert(spread(&other), &other)
		}
		word := s.place.Load()
		if base := uintptr(unsafe.Pointer(&s.entries[0])); word&^sizeMask != base || 1<<(word&sizeMask) != len(s.entries) {
			t.Fatalf("a table of %d at %x is told as %x", len(s.entries), base, word)
		}
		if at := uint64(place) & (1<<placeBits - 1) & uint64(len(s.entries)-1); at != h&uint64(len(s.entries)-1) {
			t.Fatalf("slot %d, want %d", at, h&uint64(len(s.entries)-1))
		}
	}
}
