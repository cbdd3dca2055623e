package dashboard

import (
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/keyfmt"
)

// keyConditions are the conditions of a list of keys beyond its view, as the URL has them. Days are those of UTC.
type keyConditions struct {
	Environment, Permission     string
	Expiring, Unused, TriedFrom string
	Permissions                 []string // for the field's suggestions
}

// Any tells whether there is a condition.
func (c keyConditions) Any() bool {
	return c.Environment != "" || c.Permission != "" || c.Expiring != "" || c.Unused != "" || c.TriedFrom != ""
}

// conditions reads them from the URL.
func (v *request) conditions(c *keyConditions, in *control.ListKeys) (err error) {
	*c = keyConditions{
		Environment: v.query("env"), Permission: v.query("permission"), Expiring: v.query("expiring"),
		Unused: v.query("unused"), TriedFrom: v.query("tried"), Permissions: v.d.catalogue.Names(v.d.catalogue.All()),
	}
	if c.Environment != "" && c.Environment != string(keyfmt.Live) && c.Environment != string(keyfmt.Test) {
		return fault.Invalid("env", "there is no such environment")
	}
	in.Environment, in.Permission = keyfmt.Environment(c.Environment), c.Permission
	for _, one := range []struct {
		to        *time.Time
		name, day string
	}{{&in.ExpiringBefore, "expiring", c.Expiring}, {&in.UnusedSince, "unused", c.Unused}, {&in.TriedSince, "tried",
		c.TriedFrom}} {
		if *one.to, err = day(one.name, one.day, 0); err != nil {
			return err
		}
	}
	return nil
}
