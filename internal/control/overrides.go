package control

import (
	"errors"
	"fmt"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// MaxOverrides is how many keys of a leaving member can be settled otherwise than the rest: their rows are written in
// the transaction that decides.
const MaxOverrides = MaxSettled

// KeyOverride settles one key of a leaving member otherwise than the rest. Keys is "stop", "keep" or
// "transfer:<userId>".
type KeyOverride struct {
	Key  string
	Keys string
}

// override is a checked one.
type override struct {
	key    apikey.Key // as open settlements have it
	settle apikey.Settlement
}

// overrides checks the choices for single keys. Each is decided as a choice for all keys would be.
func (s *Service) overrides(
	v *store.View, a *actor, ws account.Workspace, m account.Member, given []KeyOverride,
) ([]override, error) {
	if len(given) > MaxOverrides {
		return nil, fault.Invalid("overrides", "are more than %d", MaxOverrides)
	}
	out, seen, decided := make([]override, 0, len(given)), map[id.Key]bool{}, map[string]apikey.Settlement{}
	for i, o := range given {
		field := fmt.Sprintf("overrides[%d]", i)
		if o.Keys == "" {
			return nil, fault.Invalid(field+".keys", "must be stop, keep or transfer:<userId>")
		}
		if _, ok := id.Parse(o.Key); !ok {
			return nil, fault.Invalid(field+".id", "must be the id of a key")
		}
		k, err := v.Key(id.Key(o.Key))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		switch {
		case err != nil, k.Workspace != ws.ID, k.User != m.User:
			return nil, fault.Invalid(field+".id", "is no key of the member who leaves")
		case seen[k.ID]:
			return nil, fault.Invalid(field+".id", "is named twice")
		}
		seen[k.ID] = true
		if err := arrived(v, &k); err != nil {
			return nil, err
		}
		settle, known := decided[o.Keys]
		if !known {
			if settle, err = s.settlement(v, a, ws, m, o.Keys); err != nil {
				return nil, itemFault(field, err)
			}
			decided[o.Keys] = settle
		}
		out = append(out, override{k, settle})
	}
	return out, nil
}

// arrived refuses a key that an earlier removal hands to the member and that is not theirs by its row yet.
func arrived(v *store.View, k *apikey.Key) error {
	if !k.Unsettled {
		return nil
	}
	was, err := v.WrittenKey(k.ID)
	if err == nil && was.User != k.User {
		err = fault.New(fault.Conflict, "a key is still being handed over: try again in a few seconds",
			fault.Detail{Field: "overrides", Message: "the key " + string(k.ID) + " is not written yet"})
	}
	return err
}

// itemFault names the field of an item in a refusal of its field keys.
func itemFault(item string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	told := *f
	told.Details = nil
	for _, d := range f.Details {
		if d.Field == "keys" {
			d.Field = item + ".keys"
		}
		told.Details = append(told.Details, d)
	}
	return &told
}

// recount moves the counts of all keys to what the overrides make of some.
func (r *Removed) recount(d *departure) {
	for i := range d.overrides {
		o := &d.overrides[i]
		r.add(d.settle.Outcome(&o.key), -1)
		r.add(o.settle.Outcome(&o.key), +1)
	}
}

// outcome is the outcome for one key.
func (d *departure) outcome(k *apikey.Key) apikey.Outcome {
	for i := range d.overrides {
		if o := &d.overrides[i]; o.key.ID == k.ID {
			return o.settle.Outcome(k)
		}
	}
	return d.settle.Outcome(k)
}

// settleOverrides writes the rows of single keys in the transaction that decides. Each row begins the member's next
// period with that, so the settlement of the rest does not cover it.
func (s *Service) settleOverrides(tx *store.Tx, decided *apikey.Settlement, list []override) error {
	if len(list) == 0 {
		return nil
	}
	chain, err := tx.UnsettledOf(decided.Workspace, decided.User)
	if err != nil {
		return err
	}
	moved := make(map[id.User]int)
	for i := range list {
		o := &list[i]
		o.settle.ID, o.settle.Period, o.settle.At = decided.ID, decided.Period, decided.At
		own := make([]store.Unsettled, len(chain))
		for j := range chain {
			if own[j] = chain[j]; chain[j].ID == decided.ID {
				own[j].Settlement = o.settle
			}
		}
		was, err := tx.WrittenKey(o.key.ID)
		if err != nil {
			return err
		}
		to, err := s.settleAlone(tx, own, &was)
		if err != nil {
			return err
		}
		moved[to]++
	}
	for to, n := range moved {
		if err := tx.MoveKeys(decided.Workspace, decided.User, to, n); err != nil {
			return err
		}
	}
	return nil
}

// overridden lists the keys of a removal that its settlement does not cover, for the log.
func (d *departure) overridden() []string {
	out := []string{}
	for i := range d.overrides {
		out = append(out, string(d.overrides[i].key.ID))
	}
	return out
}
