// Package bulk owns how large pieces of memory without pointers lie in the machine: in large pages where the system has them, and near
// the processor before they are needed. It does not own what is in them.
//
// A program that goes to random places of a gigabyte finds few of them in the processor's tables of 4-KiB pages, and each miss is a walk
// through tables that are not at hand either. On Linux, where transparent huge pages are to be asked for (madvise, the usual setting),
// Make asks for them; elsewhere it is make.
//
// What Make gives is Go's memory like any other: the garbage collector frees it, and looks for nothing in it, since there are no
// pointers. The advice is about addresses, changes no byte, and stays harmless when the addresses become something else's: at the
// edges it covers up to 2 MiB of neighbours. A piece is resident in steps of 2 MiB, from its first use on. So only a piece that is
// large itself is advised: a small installation has none.
package bulk

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
