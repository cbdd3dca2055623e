// Package hugepage allocates large slices without pointers in large pages, where the system has them. It does not own
// their content.
//
// Random reads over a gigabyte miss the processor's table of 4-KiB pages nearly every time, and each miss walks page
// tables that are not cached either. Where Linux gives transparent huge pages on request (madvise, the usual setting),
// Make requests them; elsewhere it is make.
//
// The slices are ordinary memory of Go: the garbage collector frees them, and does not scan them, because they hold no
// pointers. The request names addresses and changes no byte. It covers up to 2 MiB of neighbouring memory at the edges,
// which is harmless. Memory becomes resident in steps of 2 MiB, so Make requests large pages for large slices only: a
// small installation has none.
package hugepage

import (
	"reflect"
	"unsafe"
)

const (
	pageBytes   = 2 << 20       // of a large page, and its alignment
	adviseAbove = 2 * pageBytes // smaller pieces lie as they come
)

// Make gives n zero values, as make does. T has no pointer in it; it panics for another.
func Make[T any](n int) []T {
	if t := reflect.TypeFor[T](); !pointerFree(t) {
		panic("bulk: " + t.String() + " may hold pointers")
	}
	s := make([]T, n)
	if size := uintptr(n) * unsafe.Sizeof(*new(T)); size >= adviseAbove {
		start := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
		advise(start&^(pageBytes-1), (start+size+pageBytes-1)&^(pageBytes-1))
	}
	return s
}

// pointerFree tells whether the garbage collector has nothing to look for in values of a type.
func pointerFree(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() == 0 || pointerFree(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !pointerFree(t.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return t.Kind() >= reflect.Bool && t.Kind() <= reflect.Complex128
}
