package replica

import "testing"

// Chunks are made some at a time when there are many: no two numbers share a record, and none moves.
func TestEveryNumberHasARecordOfItsOwn(t *testing.T) {
	t.Parallel()
	var r records
	const n = 70 * recordsInChunk // beyond where a piece is several chunks
	where := make([]*record, n)
	for i := range uint32(n) {
		if number := r.take(); number != i {
			t.Fatalf("the number is %d, want %d", number, i)
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
