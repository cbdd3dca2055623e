package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keyward/keyward/internal/store"
)

// SQLSTATE is PostgreSQL's code inside err, or "".
func sqlstate(err error) string {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return said.Code
	}
	return ""
}

// translate wraps the errors that the store tells apart.
func translate(err error) error {
	if kind := kindOf(sqlstate(err)); kind != nil {
		return fmt.Errorf("%w: %w", kind, err)
	}
	return err
}

// kindOf knows the codes of https://www.postgresql.org/docs/current/errcodes-appendix.html.
func kindOf(code string) error {
	switch code {
	case "":
		return nil
	case "23505": // unique_violation
		return store.ErrDuplicate
	case "53100": // disk_full
		return store.ErrFull
	case "25006": // read_only_sql_transaction: a standby, or default_transaction_read_only
		return store.ErrReadOnly
	case "25P03", // idle_in_transaction_session_timeout
		"40001", // serialization_failure
		"40P01", // deadlock_detected
		"55P03", // lock_not_available
		"57014": // query_canceled: by a timeout
		return store.ErrUnavailable
	}
	for _, class := range []string{
		"08",   // connection exceptions
		"53",   // insufficient resources
		"57P",  // the server goes down, or comes up
		"28",   // the credential is refused
		"3D",   // no such database
		"58",   // system errors
		"XX00", // internal errors, corruption among them
	} {
		if strings.HasPrefix(code, class) {
			return store.ErrUnavailable
		}
	}
	return nil
}

// unreachable is the error of a connection: the caller's own impatience is told as that.
func unreachable(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	if kind := kindOf(sqlstate(err)); kind != nil {
		return fmt.Errorf("%w: %w", kind, hidden(err))
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, hidden(err))
}

// hidden keeps an error of connecting on one line. pgconn names user and database in it, and never the password.
func hidden(err error) error {
	if !strings.Contains(err.Error(), "\n") {
		return err
	}
	return oneLine{err}
}

type oneLine struct{ error }

func (e oneLine) Error() string {
	return strings.Join(strings.FieldsFunc(e.error.Error(), func(r rune) bool { return r == '\n' || r == '\t' }), " ")
}

func (e oneLine) Unwrap() error { return e.error }

// mentions tells whether a connection string sets a parameter of its own.
func mentions(url, parameter string) bool { return strings.Contains(url, parameter+"=") }

// Refused reports that the server answered and that asking again changes nothing: the user or the password is wrong,
// the database or the schema does not exist, or the user lacks a right.
func Refused(err error) bool {
	code := sqlstate(err)
	for _, class := range []string{
		"28", // invalid authorization specification
		"3D", // invalid catalog name: no such database
		"3F", // invalid schema name
		"42", // syntax error or access rule violation
	} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}
