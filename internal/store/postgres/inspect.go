package postgres

import (
	"context"
	"fmt"

	"github.com/keyward/keyward/internal/store"
)

// Finding is something about the server that an operator should know.
type Finding struct {
	Fails bool // what was acknowledged may be lost
	Text  string
}

// Findings looks at the server's settings. It changes nothing.
func (d *Driver) Findings(ctx context.Context) (found []Finding) {
	err := d.Read(ctx, func(q store.SQL) error {
		for name, text := range map[string]string{
			"fsync":            "its fsync is off: a crash of its machine destroys it",
			"full_page_writes": "its full_page_writes is off: a crash of its machine may damage it",
		} {
			value, err := one(ctx, q, `SELECT current_setting(?)`, name)
			if err != nil {
				return err
			}
			if value == "off" {
				found = append(found, Finding{true, text})
			}
		}
		version, err := one(ctx, q, `SELECT current_setting('server_version')`)
		if err != nil {
			return err
		}
		if d.fold == "C" {
			found = append(
				found,
				Finding{false, fmt.Sprintf("this PostgreSQL (%s) has no collation of Unicode: a search tells capitals "+
					"from small letters outside of ASCII", version)},
			)
		}
		return nil
	})
	if err != nil {
		found = append(found, Finding{true, err.Error()})
	}
	return found
}
