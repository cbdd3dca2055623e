package control

import (
	"errors"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

// storageFault turns the store's own errors into faults for the caller; every other error goes through as it is.
func storageFault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return fault.Missing()
	case errors.Is(err, store.ErrUnknown):
		return outcomeUnknown("the connection to the database was lost while the change was being committed").Because(err)
	case errors.Is(err, store.ErrDurability):
		return outcomeUnknown("the disk failed while the change was being committed").Because(err)
	case errors.Is(err, store.ErrFull):
		return fault.New(fault.Unavailable, "storage is full: nothing was changed").Because(err)
	case errors.Is(err, store.ErrMoving):
		return fault.New(fault.Unavailable, "the database is being moved to another server: nothing was changed").Because(err)
	case errors.Is(err, store.ErrReadOnly):
		return fault.New(fault.Unavailable, "storage is read-only: nothing was changed").Because(err)
	case errors.Is(err, store.ErrUnavailable):
		return fault.New(fault.Unavailable, "the database is not available: nothing was changed").Because(err)
	}
	return fault.From(err)
}

func outcomeUnknown(why string) *fault.Error {
	return fault.New(fault.OutcomeUnknown, why+", and it is not known whether it took place: look before you ask again")
}

// readFault is storageFault for reads.
func readFault(err error) error {
	if errors.Is(err, store.ErrUnavailable) {
		return fault.New(fault.Unavailable, "the database is not available").Because(err)
	}
	return err
}
