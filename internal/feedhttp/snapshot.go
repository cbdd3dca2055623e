package feedhttp

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/feed"
)

// Snapshots of the same kind are made once for the readers that ask at about the same time: followers that restart
// together. The first reader gets its snapshot while it is made, and those after it wait for the end, and get the same
// bytes for as long as nothing has changed.

// ErrBusy says that as many readers load as may at once.
var ErrBusy = errors.New("as many readers load everything as may at once")

const (
	// bytes that are kept of all snapshots together: one that is larger is made for each reader
	mostKept = 64 << 20
	keptFor  = 10 * time.Second
	// readers that get kept bytes at once
	keptAtOnce = 16
	pieceSize  = 128 << 10
)

// snapshots are those that are kept.
type snapshots struct {
	places chan struct{}

	mu    sync.Mutex
	all   map[textName]*snapshot
	bytes int
}

func newSnapshots() snapshots {
	return snapshots{places: make(chan struct{}, keptAtOnce), all: map[textName]*snapshot{}}
}

// snapshot is one as it was written to its first reader, without its last line.
type snapshot struct {
	done chan struct{} // closed when it is whole, or given up
	// the rest belongs to the one that makes it until done is closed; no pieces are there of one that is given up
	pieces [][]byte
	bytes  int
	text   text
	at     feed.Cursor
}

// WriteSnapshot writes everything that the question is about. Nothing is written where the error is ErrBusy.
func (s *Source) WriteSnapshot(ctx context.Context, out io.Writer, pack *Packing, q *Question) error {
	settings, kind := s.kind(q)
	name := textName{kind: q.shared, short: q.Short}
	if pack != nil {
		name.coding = pack.Name
	}
	kept, mine, err := s.join(ctx, name)
	if err != nil {
		return err
	}
	if mine {
		defer s.snapshots.giveUp(name, kept) // where it is not whole
	}
	if kept == nil || mine {
		return s.makeSnapshot(ctx, out, pack, q, name, settings, kept)
	}
	select {
	case s.snapshots.places <- struct{}{}:
	case <-time.After(placeWait):
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.snapshots.places }()
	if pack != nil {
		pack.Used()
	}
	for _, piece := range kept.pieces {
		if _, err := out.Write(piece); err != nil {
			return err
		}
	}
	return s.endSnapshot(out, q, kind, kept)
}

func (s *Source) endSnapshot(out io.Writer, q *Question, kind string, is *snapshot) error {
	last, err := is.text.last(s.end(q, is.text.untold, End{Cursor: writeCursor(is.at, kind)}))
	if err != nil {
		return err
	}
	_, err = out.Write(last)
	return err
}

// join gives a snapshot that is kept and whole, or a new one that the caller is to make (mine), or nil where the caller
// makes one for itself alone.
func (s *Source) join(ctx context.Context, name textName) (kept *snapshot, mine bool, err error) {
	const tries = 3 // the one that it waited for may be given up
	patience := time.After(placeWait)
	for range tries {
		kept, mine = s.snapshots.get(name)
		if mine {
			return kept, true, nil
		}
		select {
		case <-kept.done:
		case <-patience: // the first reader is slow
			return nil, false, nil
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
		switch {
		case kept.pieces == nil:
		case !s.isEnd(ctx, kept.at): // there is something new, or another history
			s.snapshots.drop(name, kept)
		default:
			return kept, false, nil
		}
	}
	return nil, false, nil
}

// get gives the snapshot that is kept or being made, or a new one.
func (k *snapshots) get(name textName) (is *snapshot, isNew bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if is = k.all[name]; is != nil {
		return is, false
	}
	is = &snapshot{done: make(chan struct{})}
	k.all[name] = is
	return is, true
}

// keep takes a piece over, as long as there is room.
func (k *snapshots) keep(name textName, is *snapshot, piece []byte) (taken bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all[name] != is {
		return false
	}
	if k.bytes+len(piece) > mostKept {
		k.end(name, is)
		return false
	}
	k.bytes += len(piece)
	is.bytes += len(piece)
	is.pieces = append(is.pieces, piece)
	return true
}

// end forgets a snapshot that is being made: it will not be whole.
func (k *snapshots) end(name textName, is *snapshot) {
	k.bytes -= is.bytes
	is.bytes, is.pieces = 0, nil
	delete(k.all, name)
	close(is.done)
}

// giveUp ends one that is not whole.
func (k *snapshots) giveUp(name textName, is *snapshot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all[name] != is {
		return
	}
	select {
	case <-is.done:
	default:
		k.end(name, is)
	}
}

// whole says that a snapshot is complete: it is kept for a while.
func (k *snapshots) whole(name textName, is *snapshot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all[name] != is {
		return
	}
	close(is.done)
	time.AfterFunc(keptFor, func() { k.drop(name, is) })
}

// drop forgets a snapshot that is whole. Readers that have it go on.
func (k *snapshots) drop(name textName, is *snapshot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all[name] == is {
		k.bytes -= is.bytes
		delete(k.all, name)
	}
}

// makeSnapshot writes a snapshot to its first reader, and keeps it in is, which is nil where it is not kept.
func (s *Source) makeSnapshot(ctx context.Context, out io.Writer, pack *Packing, q *Question, name textName,
	settings *Settings, is *snapshot,
) error {
	own := is
	if own == nil {
		own = &snapshot{}
	}
	stream := newStream(out, pack, func(piece []byte) bool { return is != nil && s.snapshots.keep(name, is, piece) })
	defer stream.close()
	emit := emitter(stream)
	w := newWriter(s.Catalogue, q, s.digests(q), emit)
	w.short = q.Short
	settings = s.forReader(settings, q)
	started := false
	start := func() error {
		if started {
			return nil
		}
		started = true
		first := line{Settings: settings}
		if q.Short && s.Count != nil {
			first.Keys = s.Count(&q.Reach)
		}
		return emit(&first)
	}
	at, ok, err := s.Load(ctx, func(c feed.Change) error {
		if err := start(); err != nil {
			return err
		}
		return w.write(c)
	})
	switch {
	case err != nil:
		return err
	case !ok:
		return ErrBusy
	}
	if err := start(); err != nil {
		return err
	}
	own.at, own.text.untold = at, w.untold
	if own.text.end, err = stream.cut(); err != nil {
		return err
	}
	if is != nil {
		s.snapshots.whole(name, is)
	}
	return s.endSnapshot(out, q, q.ofKind, own)
}

// stream compresses and sends lines in a goroutine of its own, while the next ones are made.
type stream struct {
	out  io.Writer
	pack *Packing
	keep func(piece []byte) (taken bool)

	full, empty chan []byte
	fill        []byte
	ended       chan struct{} // the goroutine has ended, with the results below
	end         func(last []byte) []byte
	err         error
	closed      bool
}

func newStream(out io.Writer, pack *Packing, keep func(piece []byte) (taken bool)) *stream {
	const buffers = 3
	s := &stream{
		out: out, pack: pack, keep: keep, full: make(chan []byte, buffers), empty: make(chan []byte, buffers),
		ended: make(chan struct{}), fill: make([]byte, 0, pieceSize),
	}
	for range buffers - 1 {
		s.empty <- make([]byte, 0, pieceSize)
	}
	go s.run()
	return s
}

// Write takes whole lines.
func (s *stream) Write(b []byte) (int, error) {
	if len(s.fill) > 0 && len(s.fill)+len(b) > pieceSize {
		if err := s.pass(); err != nil {
			return 0, err
		}
	}
	s.fill = append(s.fill, b...)
	return len(b), nil
}

// pass gives the filled buffer to the goroutine, and takes another one.
func (s *stream) pass() error {
	select {
	case s.full <- s.fill:
	case <-s.ended:
		return s.err
	}
	select {
	case s.fill = <-s.empty:
		return nil
	case <-s.ended:
		return s.err
	}
}

// cut waits until everything is sent.
func (s *stream) cut() (end func(last []byte) []byte, err error) {
	if err := s.pass(); err != nil {
		return nil, err
	}
	s.close()
	return s.end, s.err
}

// close ends the goroutine.
func (s *stream) close() {
	if !s.closed {
		s.closed = true
		close(s.full)
	}
	<-s.ended
}

func (s *stream) run() {
	defer close(s.ended)
	to := &pieces{s: s, fill: make([]byte, 0, pieceSize)}
	var z Packer
	for text := range s.full {
		if z == nil && s.pack != nil {
			s.pack.Used()
			z = s.pack.Begin(to)
		}
		if z != nil {
			_, s.err = z.Write(text)
		} else {
			_, s.err = to.Write(text)
		}
		if s.err != nil {
			return
		}
		s.empty <- text[:0]
	}
	if z != nil {
		s.end, s.err = z.Cut()
	}
	if s.err == nil {
		s.err = to.flush()
	}
}

// pieces sends and keeps what a stream has made.
type pieces struct {
	s    *stream
	fill []byte
}

func (p *pieces) Write(b []byte) (int, error) {
	if len(p.fill)+len(b) > pieceSize {
		if err := p.flush(); err != nil {
			return 0, err
		}
	}
	p.fill = append(p.fill, b...)
	return len(b), nil
}

func (p *pieces) flush() error {
	if len(p.fill) == 0 {
		return nil
	}
	_, err := p.s.out.Write(p.fill)
	if err == nil && p.s.keep(p.fill) {
		p.fill = make([]byte, 0, pieceSize)
	}
	p.fill = p.fill[:0]
	return err
}
