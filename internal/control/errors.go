package control

import (
	"errors"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

// storageFault turns the store's own errors into what a caller is told; every other error goes through as it is.
func storageFault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return fault.Missing()
	case errors.Is(err, store.ErrFull):
		return fault.New(fault.Unavailable, "storage is full: nothing was changed").Because(err)
	}
	return fault.From(err)
}
