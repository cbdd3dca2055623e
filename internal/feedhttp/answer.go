package feedhttp

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"

	"github.com/keyward/keyward/internal/feed"
)

// Packing compresses an answer. Nil compresses none.
type Packing struct {
	Name  string // of the coding
	Begin func(out io.Writer) Packer
	// Used is called before the first byte of an answer that is compressed.
	Used func()
}

// Packer compresses the beginning of an answer. Cut ends that, and gives the function that makes the end of an answer,
// for each of its readers another one.
type Packer interface {
	io.Writer
	Cut() (end func(last []byte) []byte, err error)
}

// shortest is how many bytes a page has at least that is compressed: one without a change is shorter.
const shortest = 1 << 10

// text is an answer without its last line.
type text struct {
	body   []byte
	end    func(last []byte) []byte // nil for one that is not compressed
	untold int64
	err    error
}

// last makes the end of an answer.
func (t *text) last(e *End) ([]byte, error) {
	b, err := json.Marshal(&line{End: e})
	if err != nil {
		return nil, err
	}
	b = append(b, '\n')
	if t.end != nil {
		b = t.end(b)
	}
	return b, nil
}

// pageTexts are those of one page: readers of one kind get the same bytes, which are made once.
type pageTexts struct {
	mu  sync.Mutex
	all map[textName]*sharedText
}

// textName names the readers that get the same bytes. Its kind is the whole digest, and not the part that a cursor has,
// because it alone keeps readers within other bounds apart.
type textName struct {
	kind, coding string
	short        bool // see Question.Short
}

type sharedText struct {
	once sync.Once
	text
}

// mostPageTexts bounds the kinds of readers of which a page keeps the text.
const mostPageTexts = 64

// of gives the text of a kind of reader, and makes it where it is the first.
func (p *pageTexts) of(name textName, build func() text) *text {
	p.mu.Lock()
	t := p.all[name]
	if t == nil {
		if p.all == nil || len(p.all) >= mostPageTexts {
			p.all = map[textName]*sharedText{}
		}
		t = &sharedText{}
		p.all[name] = t
	}
	p.mu.Unlock()
	t.once.Do(func() { t.text = build() })
	return &t.text
}

// WritePage writes a page's changes and its end.
func (s *Source) WritePage(out io.Writer, pack *Packing, p *Found, q *Question) error {
	_, kind := s.kind(q)
	build := func() text { return s.pageText(p.Changes, q, pack) }
	var t *text
	switch {
	case len(p.Changes) == 0:
		t = &text{}
	case p.texts == nil:
		own := build()
		t = &own
	default:
		name := textName{kind: q.shared}
		if pack != nil {
			name.coding = pack.Name
		}
		t = p.texts.of(name, build)
	}
	if t.err != nil {
		return t.err
	}
	if t.end != nil {
		pack.Used()
	}
	last, err := t.last(s.end(q, t.untold, End{
		Cursor: writeCursor(p.Cursor, kind), More: p.More, HeldMS: milliseconds(p.Held), AgeMS: wholeMilliseconds(p.Age),
	}))
	if err != nil {
		return err
	}
	if _, err := out.Write(t.body); err != nil {
		return err
	}
	_, err = out.Write(last)
	return err
}

// pageText writes changes for a kind of reader.
func (s *Source) pageText(changes []feed.Change, q *Question, pack *Packing) (t text) {
	var plain bytes.Buffer
	w := newWriter(s.Catalogue, q, s.digests(q), emitter(&plain))
	for _, c := range changes {
		if t.err = w.write(c); t.err != nil {
			return t
		}
	}
	t.body, t.untold = plain.Bytes(), w.untold
	if pack == nil || plain.Len() < shortest {
		return t
	}
	var packed bytes.Buffer
	z := pack.Begin(&packed)
	if _, t.err = z.Write(t.body); t.err != nil {
		return t
	}
	t.end, t.err = z.Cut()
	t.body = packed.Bytes()
	return t
}

// WriteEnd answers a reader that asks no more.
func (s *Source) WriteEnd(out io.Writer, q *Question) error {
	return emitter(out)(&line{End: s.end(q, 0, End{})})
}

// emitter writes lines of JSON.
func emitter(out io.Writer) func(*line) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	var buffer []byte
	return func(l *line) error {
		quick := false
		switch {
		case l.Key != nil:
			buffer, quick = appendKeyLine(buffer[:0], l.Key)
		case l.SameKey != nil:
			buffer, quick = appendSameKeyLine(buffer[:0], l.SameKey)
		}
		if !quick {
			return e.Encode(l)
		}
		_, err := out.Write(buffer)
		return err
	}
}
