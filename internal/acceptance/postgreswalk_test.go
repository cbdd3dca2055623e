package acceptance_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// The sentences of commands for a database where PostgreSQL is not as it should be.

// secret is the password in each URL. No output shows it.
const secret = "hush-hush"

// offline are the commands that open the database themselves. Those of file are for SQLite alone.
var offline = []struct {
	words []string
	file  bool
	looks bool // doctor prints a list of findings
}{
	{words: []string{"migrate"}},
	{words: []string{"logs", "verify"}},
	{words: []string{"logs", "archive", "--before=1d", "--to=archive.ndjson"}},
	{words: []string{"time", "reset", "--yes"}},
	{words: []string{"backup", "--record"}},
	{words: []string{"backup", "copy.db"}, file: true},
	{words: []string{"backup", "--verify", "copy.db"}, file: true},
	{words: []string{"restore", "there.db", "--confirm"}, file: true},
	{words: []string{"restore", "there.db", "--journal=there.db", "--confirm"}, file: true},
	{words: []string{"migrate-store", "--from=sqlite:there.db", "--to=$URL"}},
	{words: []string{"doctor"}, looks: true},
}

// Each command that help lists for files, and each that takes a --database-url, stands in the walk.
func TestEveryCommandForADatabaseIsWalked(t *testing.T) {
	t.Parallel()
	walked := map[string]bool{
		"catalogue": true, "rootkey": true, // have no database
	}
	for _, c := range offline {
		walked[c.words[0]] = true
	}
	help, err := exec.Command(binary, "--help").CombinedOutput()
	must(t, err)
	_, files, _ := strings.Cut(string(help), "\nFiles:\n")
	files, _, _ = strings.Cut(files, "\n\n")
	named := regexp.MustCompile(`(?m)^  ([a-z-]+) +[A-Z]`).FindAllStringSubmatch(files, -1)
	if len(named) < 8 {
		t.Fatalf("help lists %v", named)
	}
	for _, name := range named {
		if !walked[name[1]] {
			t.Errorf("keyward %s is not in the walk", name[1])
		}
	}
}

// walk runs every command on a database and holds its sentence: one line, with the fault and the remedy, without the
// password. skip names commands that work there.
func walk(t *testing.T, database, says string, skip ...string) {
	t.Helper()
	wanted := regexp.MustCompile(says)
	var wg sync.WaitGroup
	defer wg.Wait()
	turns := make(chan struct{}, 3)
	for _, c := range offline {
		words := strings.Join(c.words, " ")
		if slices.Contains(skip, words) {
			continue
		}
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			out, code := runOffline(t, database, c.words...)
			line := strings.TrimSuffix(out, "\n")
			switch {
			case code == 0:
				t.Errorf("%s: it succeeds: %s", words, out)
			case strings.Contains(out, secret) || strings.Contains(out, "goroutine "):
				t.Errorf("%s shows the password or a stack: %s", words, out)
			case c.file && !strings.Contains(line, "is a PostgreSQL database: "):
				t.Errorf("%s: %s", words, line)
			case !c.looks && strings.Contains(line, "\n"):
				t.Errorf("%s says more than one line: %s", words, out)
			case !c.file && !wanted.MatchString(line):
				t.Errorf("%s says %s\nwant %s", words, line, says)
			}
		})
	}
}

// fileBeside is a database of SQLite, made once.
var fileBeside = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp(filepath.Dir(binary), "walk-") // goes with the command
	if err != nil {
		panic(err)
	}
	c := exec.Command(binary, "migrate", "--database-url=sqlite:there.db")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		panic(string(out))
	}
	return filepath.Join(dir, "there.db")
})

// runOffline runs a command in a folder of its own, which it must leave as it was.
func runOffline(t *testing.T, database string, words ...string) (out string, code int) {
	t.Helper()
	dir := t.TempDir()
	copied(t, fileBeside(), filepath.Join(dir, "there.db"), 0o600)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := make([]string, len(words))
	for i, w := range words {
		args[i] = strings.ReplaceAll(w, "$URL", database)
	}
	c := exec.CommandContext(ctx, binary, args...)
	c.Dir = dir
	p := &process{database: database}
	c.Env = p.environment()
	text, err := c.CombinedOutput()
	if err != nil && c.ProcessState == nil {
		t.Error(err)
		return "", -1
	}
	for _, name := range []string{"archive.ndjson", "copy.db", "keyward.db"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%v made %s", words, name)
		}
	}
	return string(text), c.ProcessState.ExitCode()
}

// changed is a URL with other parts, and the password in it.
func changed(t *testing.T, at string, change func(u *url.URL, q url.Values)) string {
	t.Helper()
	u, err := url.Parse(at)
	must(t, err)
	q := u.Query()
	u.User = url.UserPassword(u.User.Username(), secret)
	change(u, q)
	u.RawQuery = q.Encode()
	return u.String()
}

// fingerprint is a sum over everything in a database.
func fingerprint(t *testing.T, s *pgtest.Server, at string) string {
	t.Helper()
	out, err := s.Command("pg_dump", "-d", at).CombinedOutput()
	if err != nil {
		t.Fatalf("pg_dump: %v: %s", err, out)
	}
	return string(out)
}

// installed is a database with an installation, and the role walker, without a right on it.
func installed(t *testing.T, s *pgtest.Server) (at, role string) {
	t.Helper()
	at = s.Database(t)
	p := &process{database: at}
	if _, err := p.keyward(t.Context(), "migrate"); err != nil {
		t.Fatal(err)
	}
	role = "walker_" + nameOf(t, at)
	pgtest.Run(t, at, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", role, secret))
	t.Cleanup(func() { pgtest.Run(t, at, "DROP OWNED BY "+role+"; DROP ROLE "+role) })
	return at, role
}

func TestACommandSaysWhatIsWrongWithPostgreSQLAndWhatToDo(t *testing.T) {
	t.Parallel()
	s := pgtest.Shared(t)
	at, role := installed(t, s)
	name := nameOf(t, at)
	by := func(change func(u *url.URL, q url.Values)) string { return changed(t, at, change) }
	asWalker := by(func(u *url.URL, _ url.Values) { u.User = url.UserPassword(role, secret) })
	before := fingerprint(t, s, at)
	for _, c := range []struct {
		name     string
		prepare  string // SQL
		database string
		says     string
		skip     []string
	}{
		{"nothing listens there", "", by(func(u *url.URL, _ url.Values) { u.Host = "127.0.0.1:1" }),
			`connection refused.*: start the server, or correct the host and the port in the URL`, nil},
		{"a host that there is not", "", by(func(u *url.URL, _ url.Values) { u.Host = "no-such-host.invalid" }),
			`: correct the host in the URL|: start the server`, nil},
		{"TLS that the server has not", "", by(func(_ *url.URL, q url.Values) { q.Set("sslmode", "require") }),
			`refused TLS connection.*: see that the server offers TLS.*correct sslmode`, nil},
		{"no such database", "", by(func(u *url.URL, _ url.Values) { u.Path = "/there_is_none" }),
			`"there_is_none" does not exist.*: correct the name of the database in the URL, or make it`, nil},
		{"no such user", "", by(func(u *url.URL, _ url.Values) { u.User = url.UserPassword("nobody_here", secret) }),
			`"nobody_here" does not exist.*: correct the user or the password`, nil},
		{"another program's schema", "CREATE SCHEMA songs; CREATE TABLE songs.song (name text)",
			by(func(_ *url.URL, q url.Values) { q.Set("schema", "songs") }),
			`there is no installation in the database .*\?schema=|of another program, and was left as it is: name another one`, nil},
		{"a role that may not connect", "REVOKE CONNECT ON DATABASE $DB FROM PUBLIC", asWalker,
			`permission denied for database.*: give the user of the URL this right \(GRANT\)`, nil},
		{"a role that may not use the schema", "GRANT CONNECT ON DATABASE $DB TO $ROLE", asWalker,
			`the user ` + role + ` may not use the schema keyward: GRANT USAGE ON SCHEMA keyward`, nil},
		{"a role without rights on the tables", "GRANT USAGE ON SCHEMA keyward TO $ROLE", asWalker,
			`permission denied for table.*: give the user of the URL this right \(GRANT\)`, nil},
		{"a role that may only read", "GRANT SELECT ON ALL TABLES IN SCHEMA keyward TO $ROLE", asWalker,
			`permission denied for .*: give the user of the URL this right \(GRANT\)`,
			[]string{
				"migrate", "logs verify", "logs archive --before=1d --to=archive.ndjson", "time reset --yes", "doctor",
				"migrate-store --from=sqlite:there.db --to=$URL",
			}},
		{"no connection left for the role", "ALTER ROLE $ROLE CONNECTION LIMIT 0", asWalker,
			`too many connections for role.*: raise max_connections of the server or the role's CONNECTION LIMIT`,
			[]string{ // each waits 10 s for a connection
				"migrate", "logs archive --before=1d --to=archive.ndjson", "time reset --yes", "backup --record",
			}},
		{"a server that takes no writes", "ALTER DATABASE $DB SET default_transaction_read_only = on",
			by(func(*url.URL, url.Values) {}), `read only connection.*: use the server that takes writes`, nil},
	} {
		// One after the other: each goes on from the state before.
		if !t.Run(c.name, func(t *testing.T) {
			sql := strings.NewReplacer("$DB", name, "$ROLE", role).Replace(c.prepare)
			on := at
			if strings.Contains(sql, " DATABASE ") {
				on = s.URL("postgres")
			}
			pgtest.Run(t, on, sql)
			walk(t, c.database, c.says, c.skip...)
		}) {
			break
		}
	}
	pgtest.Run(t, s.URL("postgres"), "ALTER DATABASE "+name+" RESET default_transaction_read_only")
	pgtest.Run(t, at, "DROP SCHEMA songs CASCADE; DROP OWNED BY "+role)
	if after := fingerprint(t, s, at); withoutGrants(after) != withoutGrants(before) {
		t.Error("a command that was refused has changed the database")
	}
}

// nameOf is the database in a URL.
func nameOf(t *testing.T, at string) string {
	t.Helper()
	u, err := url.Parse(at)
	must(t, err)
	return strings.Trim(u.Path, "/")
}

// withoutGrants leaves out the rights of roles.
func withoutGrants(dump string) string {
	var kept []string
	for line := range strings.Lines(dump) {
		if !strings.HasPrefix(line, "GRANT ") && !strings.HasPrefix(line, "REVOKE ") && !strings.HasPrefix(line, "-- ") &&
			!strings.HasPrefix(line, "\\") && strings.TrimSpace(line) != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// A standby, and a server that asks for a password, need a server of their own.
func TestACommandSaysThatTheServerIsAStandbyOrWantsAnotherPassword(t *testing.T) {
	t.Parallel()
	s := pgtest.Own(t)
	at, role := installed(t, s)
	hba := filepath.Join(s.Dir, "data", "pg_hba.conf")
	rules, err := os.ReadFile(hba)
	must(t, err)
	must(t, os.WriteFile(hba, append([]byte("host all "+role+" 127.0.0.1/32 scram-sha-256\n"), rules...), 0o600))
	pgtest.Run(t, at, "SELECT pg_reload_conf()")
	wrong := changed(t, at, func(u *url.URL, _ url.Values) { u.User = url.UserPassword(role, secret+"-not") })
	walk(t, wrong, `password authentication failed.*: correct the user or the password \(KEYWARD_DATABASE_PASSWORD_FILE`)
	standby := s.Standby(t)
	standby.CatchUp(t, s)
	walk(t, changed(t, standby.URL(nameOf(t, at)), func(*url.URL, url.Values) {}),
		`read only connection.*: use the server that takes writes: name the primary`)
}

// Beside a server on PostgreSQL the commands for a database work, and the server goes on.
func TestTheCommandsWorkBesideAServerOnPostgreSQL(t *testing.T) {
	t.Parallel()
	at := pgtest.Database(t)
	p := startOn(t, at, t.TempDir())
	_, value := company(t, p)
	for _, c := range offline {
		if c.file || c.looks || c.words[0] == "migrate-store" || c.words[0] == "logs" && c.words[1] == "archive" {
			continue // doctor tells of the settings of this server, which does not wait for the disk
		}
		if out, code := runOffline(t, at, c.words...); code != 0 {
			t.Errorf("%v: status %d, %s", c.words, code, out)
		}
	}
	if code := p.verdict(t, value); code != "VALID" {
		t.Errorf("the key is %s", code)
	}
}
