package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/usage"
)

const pepper = "c2l4dGVlbi1ieXRlcy1vZi1wZXBwZXI"

// env makes an environment whose database is in a directory of the test's own.
func env(t *testing.T, pairs ...string) []string {
	t.Helper()
	return append([]string{"PATH=/bin", "KEYWARD_DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "k.db")}, pairs...)
}

func write(t *testing.T, mode os.FileMode, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWithoutAnySettingTheDefaultsHold(t *testing.T) {
	t.Parallel()
	got, err := config.Load(config.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default(), got, cmpopts.EquateComparable(netip.Prefix{}, keyfmt.Secret{})); diff != "" {
		t.Error(diff)
	}
	if got.Addr != "127.0.0.1:8080" || got.Database != "./keyward.db" || got.MaxStaleness != 5*time.Second {
		t.Errorf("the contract's defaults do not hold: %+v", got)
	}
}

func TestFlagsComeBeforeTheEnvironmentAndThatBeforeTheFile(t *testing.T) {
	t.Parallel()
	file := write(
		t, 0o600,
		"log_level: debug\nlog_format: json\nkey_prefix: filed\ntrusted_proxies: [10.0.0.0/8, '::1']\npepper: "+pepper+"\n",
	)
	got, err := config.Load(config.Sources{
		Flags:   map[string]string{"config": file, "log-level": "error"},
		Environ: env(t, "KEYWARD_LOG_LEVEL=warn", "KEYWARD_KEY_PREFIX=shell", "KEYWARD_LOG_FORMAT="),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.LogLevel != slog.LevelError || got.KeyPrefix != "shell" || got.LogFormat != "json" ||
		got.Pepper.Reveal() != pepper {
		t.Errorf("%+v", got)
	}
	if len(got.TrustedProxies) != 2 || got.TrustedProxies[1].String() != "::1/128" {
		t.Errorf("proxies: %v", got.TrustedProxies)
	}
}

func TestAWrongValueIsNamedInOneLine(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ pair, want string }{
		{"KEYWARD_MAX_STALENESS=abc", `KEYWARD_MAX_STALENESS: "abc": want a duration such as 5s`},
		{"KEYWARD_MAX_STALENESS=0", `KEYWARD_MAX_STALENESS: "0": want a duration from`},
		{"KEYWARD_ADDR=8080", `KEYWARD_ADDR: "8080": want host:port`},
		{"KEYWARD_ADDR=127.0.0.1:http", `KEYWARD_ADDR: "127.0.0.1:http": want a port`},
		{"KEYWARD_ADDR=127.0.0.1:70000", `KEYWARD_ADDR: "127.0.0.1:70000": want a port`},
		{"KEYWARD_METRICS_ADDR=x", `KEYWARD_METRICS_ADDR: "x"`},
		{"KEYWARD_MCP=on", `KEYWARD_MCP: "on": want off, read or write`},
		{"KEYWARD_WORKSPACE_CREATION=nobody", `KEYWARD_WORKSPACE_CREATION: "nobody": want anyone or operators`},
		{"KEYWARD_STRICT_RESTART=perhaps", `KEYWARD_STRICT_RESTART: "perhaps": want true or false`},
		{"KEYWARD_BAD_CREDENTIALS_PER_MINUTE=-1", `KEYWARD_BAD_CREDENTIALS_PER_MINUTE: "-1": want a number of attempts`},
		{"KEYWARD_INSECURE=perhaps", `KEYWARD_INSECURE: "perhaps": want true or false`},
		{"KEYWARD_TRUSTED_PROXIES=10.0.0.0/8,lan", `KEYWARD_TRUSTED_PROXIES: "lan"`},
		{"KEYWARD_TRUSTED_PROXIES=10.0.0.1/8", `did you mean 10.0.0.0/8?`},
		{"KEYWARD_DATABASE_URL=keyward.db", `KEYWARD_DATABASE_URL: want sqlite:PATH`},
		{"KEYWARD_DATABASE_URL=sqlite:", `KEYWARD_DATABASE_URL: want sqlite:PATH`},
		{"KEYWARD_DATABASE_URL=sqlite::memory:", `KEYWARD_DATABASE_URL: "sqlite::memory:"`},
		{"KEYWARD_DATABASE_URL=sqlite:a.db?mode=ro", `KEYWARD_DATABASE_URL: "sqlite:a.db?mode=ro"`},
		{"KEYWARD_DATABASE_URL=sqlite:/", `is a directory`},
		{"KEYWARD_KEY_PREFIX=Kw", `KEYWARD_KEY_PREFIX: "Kw"`},
		{"KEYWARD_PEPPER=none", `KEYWARD_PEPPER: "none" stands for no pepper`},
		{"KEYWARD_PEPPER_PREVIOUS=none", `KEYWARD_PEPPER_PREVIOUS: stands without KEYWARD_PEPPER`},
		{"KEYWARD_CATALOGUE=/not/there.yaml", `KEYWARD_CATALOGUE: open /not/there.yaml`},
		{"KEYWARD_LOG_LEVEL=loud", `KEYWARD_LOG_LEVEL: "loud": want debug, info, warn or error`},
		{"KEYWARD_LOG_FORMAT=xml", `KEYWARD_LOG_FORMAT: "xml": want text or json`},
		{"KEYWARD_CONFIG=/not/there.yaml", `KEYWARD_CONFIG: open /not/there.yaml`},
		{"KEYWARD_TLS_CERT=/cert.pem", `KEYWARD_TLS_CERT: stands without KEYWARD_TLS_KEY`},
		{"KEYWARD_TLS_KEY=/key.pem", `KEYWARD_TLS_KEY: stands without KEYWARD_TLS_CERT`},
	} {
		t.Run(tc.pair, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(config.Sources{Environ: env(t, tc.pair)})
			refused(t, err, tc.want)
		})
	}
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
}

func TestASettingIsNamedAsItWasGiven(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Sources{Flags: map[string]string{"max-staleness": "soon"}})
	refused(t, err, `--max-staleness: "soon": want a duration such as 5s`)
	file := write(t, 0o644, "# comment\nmax_staleness: soon\n")
	_, err = config.Load(config.Sources{Flags: map[string]string{"config": file}})
	refused(t, err, file+`:2: max_staleness: "soon": want a duration such as 5s`)
}

func TestAFileIsReadStrictly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"adress: x":             ":1: adress: is not a setting",
		"\nADDR: 127.0.0.1:0":   ":2: ADDR: is not a setting",
		"addr: a:1\naddr: b:1":  "stands twice",
		"addr: {host: a}":       ":1: addr: want a plain value",
		"addr:":                 ":1: addr: want a plain value",
		"- addr":                ":1: want a mapping",
		"addr: [":               "line 1",
		"redis_url: http://h":   ":1: redis_url: want a scheme of redis",
		"addr: a:1\n---\nb: a":  "want one document",
		"trusted_proxies: [[]]": ":1: trusted_proxies: want a list of plain values",
	} {
		_, err := config.Load(config.Sources{Flags: map[string]string{"config": write(t, 0o600, text)}})
		refused(t, err, want)
	}
	if _, err := config.Load(
		config.Sources{Flags: map[string]string{"config": write(t, 0o600, "# nothing\n")}},
	); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

func TestAPostgreSQLDatabaseIsShownWithoutItsPassword(t *testing.T) {
	t.Parallel()
	const url = "postgres://keyward:hush-hush@db.internal:6432/keys?sslmode=verify-full&sslpassword=hush-hush"
	c, err := config.Load(config.Sources{Environ: env(t, "KEYWARD_DATABASE_URL="+url)})
	if err != nil || c.Database != "postgres://db.internal:6432/keys" || c.Postgres.Reveal() != url {
		t.Errorf("%q, %v", c.Database, err)
	}
	for _, wrong := range []string{"postgres://u:hush-hush@h", "postgres:u:hush-hush@h/d",
		"postgres://u:hush-hush@h:port/d"} {
		_, err := config.Load(config.Sources{Environ: env(t, "KEYWARD_DATABASE_URL="+wrong)})
		refused(t, err, "KEYWARD_DATABASE_URL: ")
		if err != nil && strings.Contains(err.Error(), "hush-hush") {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
}

func TestARootKeyIsWellFormedAndNeverToldT18(t *testing.T) {
	t.Parallel()
	format, _ := keyfmt.NewFormat("kw")
	root, _ := format.Mint(rand.Reader, keyfmt.Service)
	live, _ := format.Mint(rand.Reader, keyfmt.Live)
	if c, err := config.Load(config.Sources{Environ: env(t, "KEYWARD_ROOT_KEY="+root.Reveal())}); err != nil ||
		!c.RootKey.Equal(root) {
		t.Errorf("a good root key: %v", err)
	}
	damaged := root.Reveal()[:len(root.Reveal())-1] + "-"
	for _, v := range []string{live.Reveal(), damaged, "secret-but-no-key"} {
		_, err := config.Load(config.Sources{Environ: env(t, "KEYWARD_ROOT_KEY="+v)})
		refused(t, err, "KEYWARD_ROOT_KEY: is not a well-formed service key")
		if err != nil && strings.Contains(err.Error(), v) {
			t.Errorf("the error tells the key: %v", err)
		}
	}
	// The prefix may be an earlier one, which the server knows and the settings do not.
	if _, err := config.Load(
		config.Sources{Environ: env(t, "KEYWARD_KEY_PREFIX=acme", "KEYWARD_ROOT_KEY="+root.Reveal())},
	); err != nil {
		t.Errorf("a root key with another prefix: %v", err)
	}
}

func TestSecretsHaveNoFlag(t *testing.T) {
	t.Parallel()
	for _, s := range config.Settings() {
		if s.Secret == (s.Flag() != "") {
			t.Errorf("%s has the flag %q", s.Env, s.Flag())
		}
	}
	root := map[string]string{"root-key": "x", "pepper": "x", "": "x"}
	if c, err := config.Load(config.Sources{Flags: root}); err != nil || !c.RootKey.IsZero() || !c.Pepper.IsZero() {
		t.Errorf("a secret was taken from a flag: %v", err)
	}
}

func TestPlainHTTPOnAPublicAddressNeedsAWordT95(t *testing.T) {
	t.Parallel()
	for addr, public := range map[string]bool{"127.0.0.1:80": false, "[::1]:80": false, "localhost:80": false,
		"127.9.9.9:0": false, "0.0.0.0:80": true, ":80": true, "[::]:80": true, "10.0.0.1:80": true,
		"keys.example.com:80": true} {
		_, err := config.Load(config.Sources{Environ: env(t, "KEYWARD_ADDR="+addr)})
		if public {
			refused(t, err, "KEYWARD_ADDR: ")
			refused(t, err, "--insecure")
		} else if err != nil {
			t.Errorf("%s: %v", addr, err)
		}
		if _, err := config.Load(config.Sources{Environ: env(t, "KEYWARD_ADDR="+addr, "KEYWARD_INSECURE=true")}); err != nil {
			t.Errorf("%s, insecure: %v", addr, err)
		}
	}
	cert, key := pair(t)
	if _, err := config.Load(
		config.Sources{Environ: env(t, "KEYWARD_ADDR=:443", "KEYWARD_TLS_CERT="+cert, "KEYWARD_TLS_KEY="+key)},
	); err != nil {
		t.Errorf("with TLS: %v", err)
	}
}

func TestWorldReadableSecretsAreRefusedT95(t *testing.T) {
	t.Parallel()
	file := write(t, 0o644, "pepper: "+pepper)
	_, err := config.Load(config.Sources{Environ: env(t, "KEYWARD_CONFIG="+file)})
	refused(t, err, "KEYWARD_CONFIG: "+file+" holds pepper and everybody on this machine can read it: chmod 600")
	if _, err := config.Load(
		config.Sources{Environ: env(t, "KEYWARD_CONFIG="+write(t, 0o644, "log_level: warn"))},
	); err != nil {
		t.Errorf("a file without secrets: %v", err)
	}
	cert, key := pair(t)
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = config.Load(config.Sources{Environ: env(t, "KEYWARD_TLS_CERT="+cert, "KEYWARD_TLS_KEY="+key)})
	refused(t, err, "KEYWARD_TLS_KEY: everybody on this machine can read")
	_, err = config.Load(config.Sources{Environ: []string{"KEYWARD_DATABASE_URL=sqlite:" + write(t, 0o644, "")}})
	refused(t, err, "KEYWARD_DATABASE_URL: everybody on this machine can read")
	// chmod 600 of a device would be bad advice.
	_, err = config.Load(config.Sources{Environ: []string{"KEYWARD_DATABASE_URL=sqlite:/dev/null"}})
	refused(t, err, "KEYWARD_DATABASE_URL: /dev/null is not a regular file")
	_, err = config.Load(config.Sources{Environ: []string{"KEYWARD_DATABASE_URL=sqlite:/nowhere/keyward.db"}})
	refused(t, err, "KEYWARD_DATABASE_URL: the folder /nowhere is not there: make it, or mount its volume")
}

func TestNamesThatLookLikeSettingsAreReported(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Sources{Environ: env(t, "KEYWARD_PEPER=x", "KEYWARD_URL=http://h", "KEYWARD_TOKEN=t",
		"KEYWARD_SERVICE_HOST=10.0.0.1", "KEYWARD_PORT_8080_TCP=tcp://10.0.0.1:8080")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"KEYWARD_PEPER"}, c.Unknown); diff != "" {
		t.Error(diff)
	}
}

// pair makes a certificate and its key, both readable by their owner alone.
func pair(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, 0o600, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))),
		write(t, 0o600, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func TestUsageIsKeptAsLongAsIsSaid(t *testing.T) {
	t.Parallel()
	c, err := config.Load(
		config.Sources{Environ: env(t, "KEYWARD_USAGE_MINUTES=0", "KEYWARD_USAGE_DAYS=30d", "KEYWARD_USAGE_WAITING=5000")},
	)
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	if want := (usage.Retention{0, 90 * day, 30 * day}); c.UsageKept != want || c.UsageWaiting != 5000 {
		t.Errorf("%v, %d", c.UsageKept, c.UsageWaiting)
	}
	for _, wrong := range []string{"KEYWARD_USAGE_MINUTES=30s", "KEYWARD_USAGE_HOURS=-1h", "KEYWARD_USAGE_DAYS=1000000d",
		"KEYWARD_USAGE_DAYS=12h",
		"KEYWARD_USAGE_DAYS=forever", "KEYWARD_USAGE_HOURS=9999999999999999h", "KEYWARD_USAGE_WAITING=10",
		"KEYWARD_USAGE_WAITING=many"} {
		name, _, _ := strings.Cut(wrong, "=")
		_, err := config.Load(config.Sources{Environ: env(t, wrong)})
		refused(t, err, name+": ")
	}
}

func TestEventsAreKeptAsLongAsIsSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for text, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "48h": 48 * time.Hour,
		"1d": 24 * time.Hour, "forever": 0} {
		c, err := config.Load(config.Sources{Environ: env(t, "KEYWARD_EVENTS_KEEP="+text)})
		if err != nil || c.EventsKept != want {
			t.Errorf("%s: %v, %v", text, c.EventsKept, err)
		}
	}
	c, err := config.Load(config.Sources{Environ: env(t, "KEYWARD_EVENTS_KEEP=90d", "KEYWARD_EVENTS_ARCHIVE_DIR="+dir)})
	if err != nil || c.EventsArchiveDir != dir {
		t.Errorf("%q, %v", c.EventsArchiveDir, err)
	}
	for _, wrong := range []string{"0", "23h", "-90d", "ever", "99999999999d"} {
		_, err := config.Load(config.Sources{Environ: env(t, "KEYWARD_EVENTS_KEEP="+wrong)})
		refused(t, err, "KEYWARD_EVENTS_KEEP: ")
	}
	for _, wrong := range [][]string{
		{"KEYWARD_EVENTS_ARCHIVE_DIR=" + dir}, {"KEYWARD_EVENTS_KEEP=1d", "KEYWARD_EVENTS_ARCHIVE_DIR=" + dir + "/none"},
		{"KEYWARD_EVENTS_KEEP=1d", "KEYWARD_EVENTS_ARCHIVE_DIR=" + write(t, 0o600, "")},
	} {
		_, err := config.Load(config.Sources{Environ: env(t, wrong...)})
		refused(t, err, "KEYWARD_EVENTS_ARCHIVE_DIR: ")
	}
}

// A certificate and a key that an editor saved with a byte order mark are read; a file at fault is named with its own
// setting.
func TestACertificateIsReadAsEditorsSaveItAndItsFaultNamesTheFile(t *testing.T) {
	t.Parallel()
	cert, key, _ := rig.Certificate(t)
	dir := t.TempDir()
	write := func(name, from, before string) string {
		raw, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, append([]byte(before), raw...), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const mark = "\uFEFF"
	marked := [2]string{write("marked.crt", cert, mark), write("marked.key", key, mark)}
	if _, err := config.ReadCertificate(marked[0], marked[1]); err != nil {
		t.Error(err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := write("long.crt", cert, strings.Repeat("# an authority\n", 20_000)) // a system's list is longer than 64 KiB
	if _, err := config.ReadAuthorities(long); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ cert, key, setting, file string }{
		{cert, empty, "KEYWARD_TLS_KEY", empty}, {empty, key, "KEYWARD_TLS_CERT", empty},
		{cert, cert, "KEYWARD_TLS_CERT", cert},
	} {
		_, err := config.Load(config.Sources{Environ: env(t, "KEYWARD_TLS_CERT="+c.cert, "KEYWARD_TLS_KEY="+c.key)})
		if err == nil || !strings.Contains(err.Error(), c.setting) || !strings.Contains(err.Error(), c.file) {
			t.Errorf("%v, want %s and %s", err, c.setting, c.file)
		}
	}
}

// Each setting that names a file says of one that cannot be read, or has nothing in it, which setting and which path is
// wrong, and what to do. The settings come from the tables, so a new one is held to it.
func TestAFileThatCannotBeReadIsNamedWithItsSettingAndTheRemedy(t *testing.T) {
	t.Parallel()
	cert, key := pair(t)
	beside := map[string][]string{
		"KEYWARD_TLS_CERT":               {"KEYWARD_TLS_KEY=" + key},
		"KEYWARD_TLS_KEY":                {"KEYWARD_TLS_CERT=" + cert},
		"KEYWARD_REDIS_PASSWORD_FILE":    {"KEYWARD_REDIS_URL=rediss://127.0.0.1:1"},
		"KEYWARD_REDIS_CA_FILE":          {"KEYWARD_REDIS_URL=rediss://127.0.0.1:1"},
		"KEYWARD_DATABASE_PASSWORD_FILE": {"KEYWARD_DATABASE_URL=postgres://u@127.0.0.1/d"},
	}
	server := func(settings ...string) error {
		_, err := config.Load(config.Sources{Environ: env(t, settings...)})
		return err
	}
	follower := func(settings ...string) error {
		settings = append(settings, "KEYWARD_SOURCE_URL=https://keyward.internal")
		if !strings.HasPrefix(settings[0], "KEYWARD_SOURCE_TOKEN_FILE") {
			settings = append(settings, "KEYWARD_SOURCE_TOKEN=x")
		}
		_, err := config.LoadFollow(config.Sources{Environ: settings})
		return err
	}
	type door struct {
		name, before string
		load         func(...string) error
	}
	doors := []door{{"KEYWARD_CONFIG", "", server}, {"KEYWARD_IMPORT_SECRETS", "@", server}}
	for _, s := range config.Settings() {
		if s.Form == "FILE" {
			doors = append(doors, door{s.Env, "", server})
		}
	}
	for _, s := range config.FollowSettings() {
		if s.Form == "FILE" {
			doors = append(doors, door{s.Env, "", follower})
		}
	}
	if len(doors) < 12 {
		t.Fatalf("only %d settings name a file", len(doors))
	}
	dir := t.TempDir()
	for path, says := range map[string]string{
		filepath.Join(dir, "none"):         "correct the path, or put the file there",
		filepath.Join(dir, "none", "none"): "correct the path, or mount its volume",
		dir:                                "is a directory: name a file in it",
		write(t, 0o600, ""):                "is empty: write it again|there is nothing in it: want one line|in PEM: want the text",
	} {
		for _, d := range doors {
			if d.name == "KEYWARD_TRUSTED_PROXIES_FILE" && strings.HasPrefix(says, "is empty") {
				continue // a list of none
			}
			err := d.load(append([]string{d.name + "=" + d.before + path}, beside[d.name]...)...)
			if err == nil || !strings.HasPrefix(err.Error(), d.name+": ") || !strings.Contains(err.Error(), path) ||
				!regexp.MustCompile(says).MatchString(err.Error()) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s=%s: %v\nwant %s", d.name, path, err, says)
			}
		}
	}
}
