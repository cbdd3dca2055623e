package postgres_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

func TestAConnectionTakesThePasswordOfTheMoment(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	own := pgtest.Own(t)
	own.Run(t, "postgres", "CREATE DATABASE kw")
	own.Run(t, "postgres", "CREATE ROLE kw SUPERUSER LOGIN PASSWORD 'first'")
	hba := filepath.Join(own.Dir, "data", "pg_hba.conf")
	rules, err := os.ReadFile(hba)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hba, append([]byte("host kw kw all scram-sha-256\n"), rules...), 0o600); err != nil {
		t.Fatal(err)
	}
	own.Run(t, "postgres", "SELECT pg_reload_conf()")
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	url := strings.Replace(own.URL("kw"), "postgres@", "kw@", 1)
	d, err := postgres.Open(ctx, url, postgres.Options{Connections: 1, PasswordFile: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if got := d.Files(); len(got) == 0 || got[0] != file {
		t.Errorf("the files are %v", got)
	}
	anew := func() error { // connections that are open stay in use, so they are ended first
		own.Run(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'kw'")
		_, err := d.Size(ctx)
		if err != nil {
			_, err = d.Size(ctx)
		}
		return err
	}
	if err := anew(); err != nil {
		t.Fatal(err)
	}
	own.Run(t, "postgres", "ALTER ROLE kw PASSWORD 'second'")
	if err := anew(); err == nil {
		t.Error("the password of before is taken: this test shows nothing")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := d.Reread(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file that is gone: %v", err)
	}
	write("second")
	if err := d.Reread(); err != nil {
		t.Fatal(err)
	}
	if err := anew(); err != nil {
		t.Errorf("with the new password: %v", err)
	}
}
