package prefetch_test

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/keyward/keyward/internal/prefetch"
)

func TestAnyAddressMayBeFetched(t *testing.T) {
	t.Parallel()
	s := make([]uint64, 8)
	edges := []uintptr{0, 1, ^uintptr(0), 1 << 47}
	for _, a := range append(edges, uintptr(unsafe.Pointer(&s[0])), uintptr(unsafe.Pointer(&s[7]))+1<<30) {
		prefetch.Fetch(a)
	}
	if !slices.Equal(s, make([]uint64, 8)) {
		t.Error("fetching wrote")
	}
}
