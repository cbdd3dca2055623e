package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Remedy is the sentence for an operator about an error of the database. It is "" for an error that is none of
// PostgreSQL's, and for one that only a caller can mend.
func Remedy(err error) string {
	if code := sqlstate(err); code != "" {
		return remedyOf(code)
	}
	if errors.Is(err, pgconn.ErrReadOnlyConnection) {
		return remedyOf("25006")
	}
	if !errors.As(err, new(*pgconn.ConnectError)) {
		return ""
	}
	switch {
	case concernsTLS(err):
		return "see that the server offers TLS with a certificate that sslrootcert admits, or correct sslmode in the URL"
	case errors.As(err, new(*net.DNSError)):
		return "correct the host in the URL (KEYWARD_DATABASE_URL or --database-url), or mend the name service"
	case pgconn.Timeout(err), errors.Is(err, context.DeadlineExceeded):
		return "see that the host and the port in the URL are right, that the server runs, and that no firewall lies between"
	}
	return "start the server, or correct the host and the port in the URL (KEYWARD_DATABASE_URL or --database-url)"
}

func concernsTLS(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(x509.UnknownAuthorityError)) ||
		errors.As(err, new(x509.HostnameError)) || errors.As(err, new(tls.RecordHeaderError)) ||
		errors.As(err, new(tls.AlertError)) || strings.Contains(err.Error(), "server refused TLS connection")
}

// remedies are by SQLSTATE, or by a class of these. The longest beginning counts.
var remedies = map[string]string{
	"08": "see that the server runs, and try again",
	"25006": "use the server that takes writes: name the primary, or all hosts of the cluster, in the URL; on the primary " +
		"set default_transaction_read_only to off, for the server, the database and the user",
	"28": "correct the user or the password (KEYWARD_DATABASE_PASSWORD_FILE, PGPASSWORD or a PGPASSFILE), or the server's " +
		"pg_hba.conf",
	"3D":    "correct the name of the database in the URL, or make it: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
	"3F":    "correct ?schema= in the URL",
	"42501": "give the user of the URL this right (GRANT), or use the role that owns the tables of Keyward",
	"42":    "see that the URL names the database and the schema of Keyward, and that this program is as new as the database",
	"53100": "make room on the disk of the database server",
	"53300": "raise max_connections of the server or the role's CONNECTION LIMIT, or end other connections: a server of " +
		"Keyward opens up to 16 with the defaults",
	"53":    "see to the memory and the disk of the database server, and try again",
	"55P03": "another session holds a lock: try again once it has ended",
	"57014": "the statement took too long, or waited for another session: try again",
	"57P03": "the server is starting or stopping: try again in a moment",
	"57P":   "the server was stopped: try again once it runs",
	"58":    "look at the log of the database server, and at its disk",
	"XX":    "look at the log of the database server: its files may be damaged",
}

func remedyOf(code string) string {
	for n := len(code); n > 0; n-- {
		if text, ok := remedies[code[:n]]; ok {
			return text
		}
	}
	return ""
}
