package store

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

// second is the column of a second digest. The row of `of` has it: a column that was read before.
func second[R any](field func(*R) *keyfmt.Stored, of func(*R) *keyfmt.Digest) column[R] {
	return column[R]{name: "second_digest",
		place: func(*R) any { return new(string) },
		take: func(r *R, from any) (err error) {
			*field(r), err = readSecond(*from.(*string), of(r))
			return err
		},
		value: func(r *R) any { return writeSecond(*field(r), of(r)) },
	}
}

// tagBytes of the digest of a value are kept with its second digest.
const tagBytes = 9

// writeSecond gives a second digest as text, with a part of the value's digest: a node of an older release that rotates
// the key leaves the text as it is, and it then says nothing of the new value.
func writeSecond(s keyfmt.Stored, of *keyfmt.Digest) string {
	if s == (keyfmt.Stored{}) {
		return ""
	}
	return s.Text() + ":" + base64.RawURLEncoding.EncodeToString(of[:tagBytes])
}

// readSecond reads what writeSecond wrote; zero where it is that of another value.
func readSecond(text string, of *keyfmt.Digest) (keyfmt.Stored, error) {
	if text == "" {
		return keyfmt.Stored{}, nil
	}
	at := strings.LastIndexByte(text, ':')
	if at < 0 || text[at+1:] != base64.RawURLEncoding.EncodeToString(of[:tagBytes]) {
		return keyfmt.Stored{}, nil
	}
	return keyfmt.ParseStored(text[:at])
}

// PutSecond keeps the second digest of that value of a key which has the digest `of`, and changes nothing else. Where
// the key has no such value, it is ErrNotFound.
func (tx *Tx) PutSecond(key id.Key, of keyfmt.Digest, to keyfmt.Stored) error {
	k, err := tx.WrittenKey(key) // whose settlement stays to be written
	if err != nil {
		return err
	}
	if k.Value.Digest.Sum == of {
		k.Value.Second = to
		err = tx.execBeside(`UPDATE api_keys SET second_digest = ? WHERE id = ?`, writeSecond(to, &of), key)
	} else {
		i := slices.IndexFunc(k.Previous, func(v apikey.Value) bool { return v.Digest.Sum == of })
		if i < 0 {
			return ErrNotFound
		}
		k.Previous[i].Second = to
		err = tx.execBeside(
			`UPDATE key_values SET second_digest = ? WHERE digest = ? AND key_id = ?`, writeSecond(to, &of), of[:], key,
		)
	}
	if err != nil {
		return fmt.Errorf("keep a second digest: %w", err)
	}
	tx.changed(feed.Change{Key: &k})
	return nil
}
