package postgres

import (
	"context"
	"time"
)

// Step does one more step of the schema, as a later release would.
func (d *Driver) Step(ctx context.Context, version int, script string) error {
	all, err := steps(migrations)
	if err != nil {
		return err
	}
	return d.migrate(ctx, time.Now(), append(all, step{version: version, oldest: 1, name: "later", script: script}))
}
