package feedhttp

import (
	"io"

	"github.com/keyward/keyward/internal/apikey"
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
	r := newReader(c)
	r.again = &apikey.Key{}
	_, err := newLines(in).all(r, f)
	return err
}

// WriteChanges writes what each tells.
func (s *Source) WriteChanges(each func(func(feed.Change) error) error, out io.Writer, q *Question) error {
	return each(newWriter(s.Catalogue, q, s.digests(q), emitter(out)).write)
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
