package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keyward/keyward/internal/store"
)

// session is a connection for the time of one transaction.
type session struct {
	pg    *pgconn.PgConn
	limit time.Duration // for one statement, before the connection is given up
	lost  error         // why nothing more can be asked: the connection's end, or a statement that waited and failed
	later *pgconn.Batch // statements that wait for the next one; nil for none

	waiting int // how many they are
}

// The types of arguments and columns, by their numbers in pg_type.
const (
	oidNone  = 0
	oidBool  = 16
	oidBytes = 17
	oidInt   = 20
	oidText  = 25
)

const (
	inText   = 0
	inBinary = 1
)

// Exec answers the number of rows it touched.
func (s *session) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := s.ask(ctx, query, args)
	if err != nil {
		return 0, err
	}
	return r.CommandTag.RowsAffected(), nil
}

// Query answers rows, all of which it has read: others can be asked for while they are looked at.
func (s *session) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	r, err := s.ask(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return &rows{result: r, at: -1}, nil
}

// ask sends a statement with its arguments in one message, without a name: nothing of it stays on the server.
func (s *session) ask(ctx context.Context, query string, args []any) (*pgconn.Result, error) {
	if s.lost != nil {
		return nil, s.lost
	}
	a, err := encodeAll(query, args)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	if s.later != nil {
		s.later.ExecParams(numbered(query), a.values, a.types, a.formats, nil)
		return s.send(ctx, limited)
	}
	r := s.pg.ExecParams(limited, numbered(query), a.values, a.types, a.formats, nil).Read()
	if r.Err != nil {
		return nil, s.failed(ctx, r.Err)
	}
	return r, nil
}

// ExecDeferred keeps a statement until the next one, so that both take one way to the server and back.
func (s *session) ExecDeferred(_ context.Context, query string, args ...any) error {
	if s.lost != nil {
		return s.lost
	}
	a, err := encodeAll(query, args)
	if err != nil {
		return err
	}
	if s.later == nil {
		s.later = &pgconn.Batch{}
	}
	s.later.ExecParams(numbered(query), a.values, a.types, a.formats, nil)
	s.waiting++
	return nil
}

// flush sends the waiting statements.
func (s *session) flush(ctx context.Context) error {
	if s.later == nil || s.lost != nil {
		return s.lost
	}
	limited, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	_, err := s.send(ctx, limited)
	return err
}

// send sends the waiting statements in one piece and reads all answers; it returns the last. After the first error
// the server skips the rest. If that is of an earlier statement than the last, its caller has gone on, and its
// savepoint may be another's by now: nothing is done any more in this transaction, not even a return to a savepoint.
func (s *session) send(ctx, limited context.Context) (last *pgconn.Result, err error) {
	all, waiting := s.pg.ExecBatch(limited, s.later), s.waiting
	s.later, s.waiting = nil, 0
	done := 0
	for all.NextResult() {
		if last = all.ResultReader().Read(); last.Err == nil {
			done++
		}
	}
	if err := all.Close(); err != nil {
		err = s.failed(ctx, err)
		if done < waiting && s.lost == nil {
			s.lost = err
		}
		return nil, err
	}
	if last == nil {
		return nil, errors.New("the server has answered nothing")
	}
	return last, nil
}

// arguments are those of a statement as they are sent.
type arguments struct {
	values  [][]byte
	types   []uint32
	formats []int16
}

func encodeAll(query string, args []any) (a arguments, err error) {
	a = arguments{make([][]byte, len(args)), make([]uint32, len(args)), make([]int16, len(args))}
	for i, v := range args {
		if a.values[i], a.types[i], a.formats[i], err = encode(v); err != nil {
			return a, fmt.Errorf("argument %d of %s: %w", i+1, query, err)
		}
	}
	return a, nil
}

// failed translates an error and remembers that the connection has ended.
func (s *session) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	t := translate(err)
	if s.pg.IsClosed() {
		t = unreachable(ctx, err)
		s.lost = t
	}
	return t
}

// encode writes an argument. Booleans are 0 and 1, as the tables have them.
func encode(a any) (value []byte, oid uint32, format int16, err error) {
	switch v := a.(type) {
	case nil:
		return nil, oidNone, inText, nil
	case []byte:
		if v == nil {
			v = []byte{}
		}
		return v, oidBytes, inBinary, nil
	case bool:
		if v {
			return []byte("1"), oidInt, inText, nil
		}
		return []byte("0"), oidInt, inText, nil
	}
	switch v := reflect.ValueOf(a); v.Kind() {
	case reflect.String:
		return []byte(storable(v.String())), oidText, inText, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(nil, v.Int(), 10), oidInt, inText, nil
	default:
		return nil, 0, 0, fmt.Errorf("a %T cannot be kept", a)
	}
}

// Stored text is validated elsewhere. storable is for search terms: PostgreSQL rejects NUL and invalid UTF-8, and
// such a term matches nothing anyway.
func storable(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\x00", "\ufffd")
}

var numberings sync.Map // of queries, which are few

// numbered turns the placeholders '?' into $1, $2, …, but for those within quotes.
func numbered(query string) string {
	if known, ok := numberings.Load(query); ok {
		return known.(string)
	}
	var b strings.Builder
	n, quoted := 0, false
	for _, r := range query {
		switch {
		case r == '\'':
			quoted = !quoted
		case r == '?' && !quoted:
			n++
			b.WriteString("$" + strconv.Itoa(n))
			continue
		}
		b.WriteRune(r)
	}
	const most = 1000 // lists of varying length make queries of their own
	if len(query) < most {
		numberings.Store(query, b.String())
	}
	return b.String()
}

// rows are an answer that was read whole.
type rows struct {
	result *pgconn.Result
	at     int
}

func (r *rows) Next() bool {
	r.at++
	return r.at < len(r.result.Rows)
}

func (r *rows) Err() error   { return nil }
func (r *rows) Close() error { return nil }

// Scan reads a row as database/sql does: into texts, numbers, bytes and booleans, into types that stand on these, and
// into any.
func (r *rows) Scan(dest ...any) error {
	row, fields := r.result.Rows[r.at], r.result.FieldDescriptions
	if len(dest) != len(row) {
		return fmt.Errorf("%d columns and %d places for them", len(row), len(dest))
	}
	for i, d := range dest {
		if err := decode(row[i], fields[i].DataTypeOID, d); err != nil {
			return fmt.Errorf("column %s: %w", fields[i].Name, err)
		}
	}
	return nil
}

func decode(cell []byte, oid uint32, dest any) (err error) {
	if v, ok := dest.(*any); ok {
		*v, err = value(cell, oid)
		return err
	}
	if b, ok := dest.(*[]byte); ok && cell == nil {
		*b = nil
		return nil
	}
	if cell == nil {
		return fmt.Errorf("NULL has no place in a %T", dest)
	}
	if oid == oidBytes {
		if cell, err = unhex(cell); err != nil {
			return err
		}
	}
	switch d := dest.(type) {
	case *[]byte:
		*d = append([]byte{}, cell...)
		return nil
	case *string:
		*d = string(cell)
		return nil
	case *int64:
		*d, err = strconv.ParseInt(string(cell), 10, 64)
		return err
	case *bool:
		*d = string(cell) == "1" || string(cell) == "t"
		return nil
	}
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer {
		return fmt.Errorf("a %T is no place", dest)
	}
	switch v = v.Elem(); v.Kind() {
	case reflect.String:
		v.SetString(string(cell))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(string(cell), 10, v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetInt(n)
	case reflect.Bool:
		v.SetBool(string(cell) == "1" || string(cell) == "t")
	default:
		return fmt.Errorf("a %T is no place for it", dest)
	}
	return nil
}

// value converts a cell by its type: nil, an int64, bytes or a string.
func value(cell []byte, oid uint32) (any, error) {
	switch {
	case cell == nil:
		return nil, nil
	case oid == oidInt:
		return strconv.ParseInt(string(cell), 10, 64)
	case oid == oidBytes:
		return unhex(cell)
	}
	return string(cell), nil
}

// unhex reads bytes as PostgreSQL writes them: \x and hexadecimal digits.
func unhex(cell []byte) ([]byte, error) {
	digits, ok := strings.CutPrefix(string(cell), `\x`)
	if !ok {
		return nil, fmt.Errorf("bytes in an unknown form")
	}
	return hex.DecodeString(digits)
}
