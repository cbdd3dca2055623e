package replica

import "testing"

// Chunks are made some at a time when there are many: no two numbers share a record, and none moves.
func TestEveryNumberHasARecordOfItsOwn(t *testing.T) {
	t.Parallel()
	var r records
	const n = 70 * recordsInChunk // beyond where a piece is several chunks
	where := make([]*record, n)
	for i := range uint32(n) {
		if number, unused := r.take(); number != i || !unused {
			t.Fatalf("the number is %d, want %d, and it was used before: %v", number, i, !unused)
		}
		where[i] = r.at(i)
		if v := where[i][idWord].Load(); v != 0 {
			t.Fatalf("the record %d has been given before, as %d", i, v)
		}
		where[i][idWord].Store(uint64(i) + 1)
	}
	for i := range uint32(n) {
		if r.at(i) != where[i] || where[i][idWord].Load() != uint64(i)+1 {
			t.Fatalf("the record %d has moved or is another's", i)
		}
	}
	if have := r.chunks.len() + len(r.spare); have > 70*17/16+1 {
		t.Errorf("%d chunks were made for 70", have)
	}
}

// The records that are known to be needed are made in pieces of 24 MiB, and none beyond them.
func TestRecordsThatAreReservedComeInPieces(t *testing.T) {
	t.Parallel()
	const wanted = 70
	var r records
	r.reserve((wanted-1)*recordsInChunk + 1)
	made := func() int { return r.chunks.len() + len(r.spare) }
	for i := range wanted * recordsInChunk {
		r.take()
		if want := min(64+i/(64*recordsInChunk)*64, wanted); made() != want {
			t.Fatalf("%d chunks were made for %d records, want %d", made(), i+1, want)
		}
	}
	r.take()
	if got := made(); got != wanted+wanted/16 {
		t.Errorf("%d chunks were made when there are more records than were reserved", got)
	}
}
