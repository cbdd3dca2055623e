package feedhttp

import (
	"io"

	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/perm"
)

// ReadChanges reads the changes of an answer.
func ReadChanges(c *perm.Catalogue, in io.Reader) (changes []feed.Change, err error) {
	_, err = newLines(in).all(newReader(c), func(ch feed.Change) error {
		changes = append(changes, ch)
		return nil
	})
	return changes, err
}
