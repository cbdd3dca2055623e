package httpapi

import (
	"context"
	"errors"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/wire"
)

// faultOf is the one way from any error to the caller's fault. A request that ran out of its own time is no error of
// ours.
func faultOf(err error) *fault.Error {
	f := fault.From(err)
	if f.Code == fault.Internal && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		return unavailable().Because(err)
	}
	return f
}

// unavailable is told where no verdict can be given now. It says nothing of the key.
func unavailable() *fault.Error {
	return verify.Unavailable.Refusal()
}

// itemErrors shows the failures of single items of a bulk operation.
func (a *api) itemErrors(errs []control.ItemError) []wire.ItemError {
	out := make([]wire.ItemError, len(errs))
	for i, e := range errs {
		out[i] = wire.ItemError{
			ID: a.redact.text(e.ID), Error: string(e.Fault.Code), Details: a.redact.details(e.Fault.Details),
		}
	}
	return out
}

// counted refuses a list with too few or too many items.
func counted(field string, n, most int) error {
	if n < 1 || n > most {
		return fault.Invalid(field, "must hold 1 to %d items", most)
	}
	return nil
}
