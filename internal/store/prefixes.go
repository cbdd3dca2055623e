package store

import (
	"context"
	"errors"
	"slices"

	"github.com/keyward/keyward/internal/keyfmt"
)

// maxPrefixes bounds the search for prefixes in a database that has not remembered any.
const maxPrefixes = 64

// KeyPrefixes lists the prefixes that the installation has given to keys.
func (db *DB) KeyPrefixes(ctx context.Context) (known []string, err error) {
	err = db.View(ctx, func(v *View) error {
		known, err = v.keyPrefixes()
		return err
	})
	return known, err
}

func (v *View) keyPrefixes() ([]string, error) {
	return all(v, scanText, `SELECT prefix FROM key_prefixes ORDER BY since_ms, prefix`)
}

func scanText(r Rows) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}

// RememberKeyPrefix stores the prefix for new keys, and lists all. A database from before this was recorded is searched
// for the prefixes of its keys, once. If it takes no change now (ErrFull, ErrUnavailable), the stored ones and the new
// one are returned all the same: with ErrFull, after which it is to be called again, or without an error, and the
// prefix is stored at a later start.
func (db *DB) RememberKeyPrefix(ctx context.Context, prefix string) (known []string, err error) {
	if known, err = db.KeyPrefixes(ctx); err != nil || slices.Contains(known, prefix) {
		return known, err
	}
	found := []string{prefix}
	if len(known) == 0 {
		err = db.View(ctx, func(v *View) error {
			used, err := v.usedPrefixes()
			found = append(found, used...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	err = db.write(func(q SQL) error {
		now := millis(db.clock.Now())
		for _, p := range found {
			_, err := q.Exec(
				context.Background(), `INSERT INTO key_prefixes (prefix, since_ms) VALUES (?, ?) ON CONFLICT DO NOTHING`, p, now,
			)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrDetached) {
		err = nil
	}
	return append(known, found...), err
}

// usedPrefixes finds the prefixes in the masks of keys: each time one that is not among those found before.
func (v *View) usedPrefixes() (found []string, err error) {
	for _, table := range []string{"api_keys", "key_values", "service_keys"} {
		for range maxPrefixes {
			var w where
			for _, p := range found {
				w.and("masked NOT LIKE ? ESCAPE '|'", p+"|_%")
			}
			w.and("masked LIKE '%|_%…%' ESCAPE '|'")
			next, err := all(v, scanText, `SELECT masked FROM `+table+w.String()+` LIMIT 1`, w.args...)
			if err != nil {
				return nil, err
			}
			if len(next) == 0 {
				break
			}
			p := keyfmt.PrefixOf(next[0])
			if p == "" { // the mask of a foreign key, which has no prefix of ours: the rest of this table may be like it
				break
			}
			found = append(found, p)
		}
	}
	return found, nil
}
