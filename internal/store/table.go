package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/keyfmt"
)

// table lists the columns of a database table once: SELECT, INSERT and UPDATE are made of that list, so a column that
// is read is also written. R is the record of one row.
type table[R any] struct {
	columns []column[R]

	selects string // SELECT … FROM name
	insert  string // INSERT INTO name (…) VALUES (…)
	update  string // UPDATE name SET …, without its WHERE
	upsert  string // insert, or else update the row of this id; without its WHERE
}

// column binds a column to a field of R.
type column[R any] struct {
	name  string
	read  string                     // the expression that is selected; "" for the column itself
	once  bool                       // an update leaves it as it is
	owned bool                       // only read here: the store's own statements write it
	place func(*R) any               // where a row is scanned to
	take  func(r *R, from any) error // brings the content of the place into the field; nil where the place is the field
	value func(*R) any               // what is written
}

// newTable makes the statements. An alias, where it is not "", stands for the table within a SELECT.
func newTable[R any](name, alias string, columns ...column[R]) *table[R] {
	var selected, inserted, updated, excluded []string
	source, prefix := name, ""
	if alias != "" {
		source, prefix = name+" "+alias, alias+"."
	}
	for _, c := range columns {
		read := prefix + c.name
		if c.read != "" {
			read = c.read
		}
		selected = append(selected, read)
		if !c.owned {
			inserted = append(inserted, c.name)
		}
		if c.updated() {
			updated = append(updated, c.name+" = ?")
			excluded = append(excluded, c.name+" = excluded."+c.name)
		}
	}
	insert := "INSERT INTO " + name + " (" + strings.Join(inserted, ", ") + ") VALUES (" + places("?", len(inserted)) + ")"
	return &table[R]{
		columns: columns,
		selects: "SELECT " + strings.Join(selected, ", ") + " FROM " + source,
		insert:  insert,
		update:  "UPDATE " + name + " SET " + strings.Join(updated, ", "),
		upsert:  insert + " ON CONFLICT (id) DO UPDATE SET " + strings.Join(excluded, ", "),
	}
}

// updated tells whether an update writes the column.
func (c *column[R]) updated() bool { return !c.once && !c.owned }

// fixed marks a column that an update leaves as it is.
func (c column[R]) fixed() column[R] {
	c.once = true
	return c
}

// counted marks a column that the store's own statements write.
func (c column[R]) counted() column[R] {
	c.owned = true
	return c
}

// computed is a column that is not kept: it is read by an expression.
func (c column[R]) computed(read string) column[R] {
	c.read = read
	return c.counted()
}

// or0 reads 0 where the column is NULL, and writes NULL for 0.
func (c column[R]) or0() column[R] {
	c.read = "coalesce(" + c.name + ", 0)"
	value := c.value
	c.value = func(r *R) any {
		if v := value(r); v != int64(0) {
			return v
		}
		return nil
	}
	return c
}

// scan reads one row.
func (t *table[R]) scan(rows Rows) (R, error) {
	r := new(R)
	into := make([]any, len(t.columns))
	for i := range t.columns {
		into[i] = t.columns[i].place(r)
	}
	if err := rows.Scan(into...); err != nil {
		return *r, err
	}
	for i := range t.columns {
		c := &t.columns[i]
		if c.take == nil {
			continue
		}
		if err := c.take(r, into[i]); err != nil {
			return *r, fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return *r, nil
}

// inserted lists the arguments of insert and upsert.
func (t *table[R]) inserted(r *R) []any {
	return t.values(r, func(c *column[R]) bool { return !c.owned })
}

// changed lists the arguments of update, and after them those of its WHERE.
func (t *table[R]) changed(r *R, where ...any) []any {
	return append(t.values(r, (*column[R]).updated), where...)
}

func (t *table[R]) values(r *R, which func(*column[R]) bool) []any {
	values := make([]any, 0, len(t.columns)+1)
	for i := range t.columns {
		if c := &t.columns[i]; which(c) {
			values = append(values, c.value(r))
		}
	}
	return values
}

// plain is a text, a number, a boolean or bytes, kept as it is. Booleans are kept as 0 and 1.
func plain[R, T any](name string, field func(*R) *T) column[R] {
	return column[R]{name: name,
		place: func(r *R) any { return field(r) },
		value: func(r *R) any {
			switch v := any(*field(r)).(type) {
			case bool:
				return toInt(v)
			default:
				return v
			}
		},
	}
}

// coded is a column whose content has another form than the field.
func coded[R, T, C any](name string, field func(*R) *T, write func(T) C, read func(C) (T, error)) column[R] {
	return column[R]{name: name,
		place: func(*R) any { return new(C) },
		take: func(r *R, from any) (err error) {
			*field(r), err = read(*from.(*C))
			return err
		},
		value: func(r *R) any { return write(*field(r)) },
	}
}

// instant is a time, kept in Unix milliseconds, 0 for none.
func instant[R any](name string, field func(*R) *time.Time) column[R] {
	return coded(name, field, millis, func(ms int64) (time.Time, error) { return fromMillis(ms), nil })
}

// span is a duration, kept in milliseconds.
func span[R any](name string, field func(*R) *time.Duration) column[R] {
	return coded(name, field, time.Duration.Milliseconds, func(ms int64) (time.Duration, error) {
		return time.Duration(ms) * time.Millisecond, nil
	})
}

// digest is 32 bytes.
func digest[R any, D ~[32]byte](name string, field func(*R) *D) column[R] {
	return coded(name, field, func(d D) []byte { return d[:] }, func(b []byte) (D, error) {
		if len(b) != len(keyfmt.Digest{}) {
			return D{}, fmt.Errorf("%d bytes instead of %d", len(b), len(keyfmt.Digest{}))
		}
		return D(b), nil
	})
}
