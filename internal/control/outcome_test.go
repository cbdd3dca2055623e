package control_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// losing is a driver that commits, and then says that it does not know. The database cannot be asked afterwards.
type losing struct {
	store.Driver
	as   error
	lost bool
}

func (l *losing) Write(ctx context.Context, fn func(store.SQL) error) error {
	switch {
	case l.as == nil:
		return l.Driver.Write(ctx, fn)
	case l.lost:
		return store.ErrUnavailable
	}
	l.lost = true
	return errors.Join(l.as, l.Driver.Write(ctx, fn))
}

// T86: a change of which it is not known whether it took place has a code of its own: unavailable promises that nothing
// was changed.
func TestT86AnOutcomeThatIsNotKnownHasItsOwnCode(t *testing.T) {
	t.Parallel()
	for _, as := range []error{store.ErrUnknown, store.ErrDurability} {
		t.Run(as.Error(), func(t *testing.T) {
			t.Parallel()
			file, err := sqlite.Open(filepath.Join(t.TempDir(), "keyward.db"), sqlite.Options{Lock: true})
			must(t, err)
			driver := &losing{Driver: file}
			db, err := store.Open(
				context.Background(), driver, store.Options{Now: time.Now, Catalogue: catalogue, Fatal: func(error) {}},
			)
			must(t, err)
			defer db.Close()
			k := newKitOn(t, db)
			driver.as = as
			_, err = k.CreateWorkspace(context.Background(), k.root, control.CreateWorkspace{Name: "w",
				Owner: control.Some(control.OwnerInput{User: "owner", Email: "owner@example.org"})})
			if !fault.Is(err, fault.OutcomeUnknown) || fault.From(err).Code.Status() != http.StatusServiceUnavailable {
				t.Errorf("%v, want outcome_unknown", err)
			}
		})
	}
}
