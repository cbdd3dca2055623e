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

// EachChange reads the changes of an answer one by one.
func EachChange(c *perm.Catalogue, in io.Reader, f func(feed.Change) error) error {
	_, err := newLines(in).all(newReader(c), f)
	return err
}

type (
	KeyLine = keyLine
	Instant = instant
)

var (
	At            = at
	AppendKeyLine = appendKeyLine
)

// ReadKeyLine reads the line of a key the quick way, if it can.
func ReadKeyLine(text []byte, l *KeyLine) bool {
	var k keyLines
	return k.read(text, l)
}
