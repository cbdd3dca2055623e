//go:build !linux && !darwin

package sqlite

// Free tells nothing on this system.
func (d *Driver) Free() (bytes int64, ok bool) { return 0, false }
