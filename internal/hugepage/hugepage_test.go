package hugepage_test

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/keyward/keyward/internal/hugepage"
)

func TestAPieceIsAllZeroAndAllItsOwnWhateverItsSize(t *testing.T) {
	t.Parallel()
	type odd struct {
		a [11]atomic.Uint64
		b uint16
	}
	var all [][]odd
	for _, n := range []int{0, 1, 1000, 43_690, 43_691, 100_000} {
		all = append(all, hugepage.Make[odd](n))
	}
	for i, s := range all {
		for j := range s {
			if s[j].b != 0 || s[j].a[10].Load() != 0 {
				t.Fatalf("piece %d is not zero at %d", i, j)
			}
			s[j].b = uint16(i + 1)
			s[j].a[10].Store(uint64(j))
		}
	}
	runtime.GC()
	for i, s := range all {
		for j := range s {
			if s[j].b != uint16(i+1) || s[j].a[10].Load() != uint64(j) {
				t.Fatalf("piece %d has changed at %d", i, j)
			}
		}
	}
}

func TestWhatMayHoldAPointerIsRefused(t *testing.T) {
	t.Parallel()
	for name, try := range map[string]func(){
		"a string":          func() { hugepage.Make[string](1) },
		"a pointer inside":  func() { hugepage.Make[struct{ p [2]*int }](1) },
		"an atomic pointer": func() { hugepage.Make[atomic.Pointer[int]](1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: nobody minds", name)
				}
			}()
			try()
		}()
	}
}

// Where the kernel gives large pages on request, they are requested under a large slice, and not under a small one.
func TestLargePagesAreAskedForUnderALargePieceAlone(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage/enabled"); err != nil {
		t.Skip("this system has no large pages to ask for: ", err)
	}
	small := hugepage.Make[uint64](1 << 18)
	if asked(t, &small[0]) || asked(t, &small[1<<18-1]) {
		t.Error("they are asked for under 2 MiB")
	}
	large := hugepage.Make[uint64](64 << 17)
	for _, at := range []int{0, 1 << 18, 64<<17 - 1} {
		if !asked(t, &large[at]) {
			t.Errorf("they are not asked for at word %d of a piece of 64 MiB", at)
		}
	}
	runtime.KeepAlive(small)
}

// asked tells whether large pages are asked for at an address: whether its mapping has the flag hg.
func asked(t *testing.T, p *uint64) bool {
	t.Helper()
	all, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip("this system does not say how memory is mapped: ", err)
	}
	address, inside := uint64(uintptr(unsafe.Pointer(p))), false
	for line := range strings.Lines(string(all)) {
		words := strings.Fields(line)
		if from, to, ok := strings.Cut(words[0], "-"); ok {
			low, _ := strconv.ParseUint(from, 16, 64)
			high, _ := strconv.ParseUint(to, 16, 64)
			inside = low <= address && address < high
		}
		if inside && words[0] == "VmFlags:" {
			return slices.Contains(words, "hg")
		}
	}
	t.Fatal("the mapping of an address is not listed")
	return false
}
