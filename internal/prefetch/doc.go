// Package prefetch owns the hint to the processor that an address will be read soon. It does not own which address that
// is (replica, ratelimit).
package prefetch
