package feedhttp

import (
	"io"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/perm"
)

// ReadSnapshot reads the changes of an answer that begins with settings.
func ReadSnapshot(c *perm.Catalogue, in io.Reader) (keys int64, changes []feed.Change, err error) {
	lines := newLines(in)
	first, err := lines.next(maxSettings)
	if err != nil {
		return 0, nil, err
	}
	_, err = lines.all(newReader(c), func(ch feed.Change) error {
		changes = append(changes, ch)
		return nil
	})
	return first.Keys, changes, err
}

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
	w := newWriter(s.Catalogue, q, s.digests(q), emitter(out))
	w.short = q.Short
	return each(w.write)
}

type (
	KeyLine     = keyLine
	SameKeyLine = sameKeyLine
	Instant     = instant
)

// IsLike tells whether a key can be told by its own members after another one.
func IsLike(l, before *KeyLine) bool { return l.isLike(before) && !before.isRare() }

var (
	At            = at
	AppendKeyLine = appendKeyLine
)

// ReadKeyLine reads the line of a key the quick way, if it can.
func ReadKeyLine(text []byte, l *KeyLine) bool {
	var k keyLines
	return k.read(text, l)
}
