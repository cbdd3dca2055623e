package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// rowsOfKeys writes keys into a database without servers, faster than the control plane would: a start reads the
// same. They have the workspace, the user and the permissions of the existing key.
const rowsOfKeys = `WITH RECURSIVE n (i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)
	INSERT INTO api_keys (id, workspace_id, user_id, name, environment, is_active, is_revoked, is_orphan, set_id, per_minute, per_day,
		allowed_ips, description, metadata, created_ms, updated_ms, last_used_ms, expires_ms, masked, pepper, digest, has_previous)
	SELECT printf('%08x-%04x-7%03x-8%03x-', 0x018c0000 + i / 65536, i % 65536, abs(random()) % 4096, abs(random()) % 4096)
			|| lower(hex(randomblob(6))), workspace_id, user_id, 'key ' || i, environment,
		is_active, is_revoked, is_orphan, set_id, 1000000000, 1000000000, allowed_ips, description, metadata, created_ms, updated_ms,
		last_used_ms, expires_ms, masked, pepper, randomblob(32), 0
	FROM n, (SELECT * FROM api_keys LIMIT 1)`

// manyRows makes a database with n keys in a folder.
func manyRows(ctx context.Context, dir string, n int) error {
	k, err := open(ctx, dir)
	if err != nil {
		return err
	}
	if _, err = k.fill(ctx, "many", 1); err != nil {
		return err
	}
	if err := k.db.Close(); err != nil {
		return err
	}
	d, err := sqlite.Open(filepath.Join(dir, "bench.db"), sqlite.Options{Lock: true})
	if err != nil {
		return err
	}
	defer d.Close()
	return fillRows(ctx, d, n)
}

// fillRows writes the rows in parts, so that the log of the database stays small, and makes the indexes at the end:
// all that a table of ten million rows needs beyond one of a million is time.
func fillRows(ctx context.Context, d *sqlite.Driver, n int) error {
	const part = 1_000_000
	var indexes [][2]string // name and statement
	if err := d.Write(ctx, func(q store.SQL) (err error) {
		if indexes, err = dropIndexes(ctx, q); err != nil {
			return err
		}
		_, err = q.Exec(ctx, "PRAGMA cache_size = -2000000")
		return err
	}); err != nil {
		return err
	}
	for first := 1; first <= n; first += part {
		if err := d.Write(ctx, func(q store.SQL) error {
			_, err := q.Exec(ctx, rowsOfKeys, first, min(first+part-1, n))
			return err
		}); err != nil {
			return err
		}
	}
	for _, index := range indexes {
		if err := d.Write(ctx, func(q store.SQL) error {
			_, err := q.Exec(ctx, index[1])
			return err
		}); err != nil {
			return fmt.Errorf("make the index %s: %w", index[0], err)
		}
	}
	return nil
}

// dropIndexes takes those of keys away, and gives them. Those of its constraints stay.
func dropIndexes(ctx context.Context, q store.SQL) (indexes [][2]string, err error) {
	rows, err := q.Query(
		ctx, "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'api_keys' AND sql IS NOT NULL",
	)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var one [2]string
		if err := rows.Scan(&one[0], &one[1]); err != nil {
			return nil, err
		}
		indexes = append(indexes, one)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for _, index := range indexes {
		if _, err := q.Exec(ctx, "DROP INDEX "+index[0]); err != nil {
			return nil, err
		}
	}
	return indexes, nil
}

func init() { children["start"] = startChild }

// startChild opens a database as a server does, and says how long it took and how much memory it takes then.
func startChild(args []string) error {
	k, err := open(context.Background(), args[0])
	if err != nil {
		return err
	}
	defer k.db.Close()
	debug.FreeOSMemory()
	start := time.Now()
	runtime.GC()
	collection := time.Since(start)
	resident, err := residentBytes()
	if err != nil {
		return err
	}
	_, err = fmt.Println(k.open.Nanoseconds(), resident, collection.Nanoseconds(), k.replica.Memory().Total())
	return err
}

// residentBytes is the memory of this process that the machine has to keep.
func residentBytes() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// ready measures a start, from the opening of the database to the first answered verification, and the memory of the
// process then: each in a process of its own, beside one of an installation with a single key.
func ready(ctx context.Context, l *lab) (r result, err error) {
	n := l.most(l.keys, 500)
	few, err := l.rows(ctx, "few", 1)
	if err != nil {
		return r, err
	}
	many, err := l.rows(ctx, "many", n)
	if err != nil {
		return r, err
	}
	var took, baseTook []float64
	var base, full started
	for range min(l.rounds, 3) {
		if base, err = start(ctx, few); err != nil {
			return r, err
		}
		if full, err = start(ctx, many); err != nil {
			return r, err
		}
		took, baseTook = append(took, full.took), append(baseTook, base.took)
	}
	keys := thousands(strconv.Itoa(n)) + " keys"
	r.figures = append(
		r.figures,
		figure{what: "start to ready, " + keys, unit: "s", value: median(took), must: atMost(5), aim: atMost(2)},
		figure{what: "start to ready, 1 key", unit: "s", value: median(baseTook)},
		figure{
			what: "resident memory per key, started with " + keys, unit: "B", value: perKey(full.resident-base.resident, n),
			must: atMost(200), aim: atMost(110),
		},
		figure{what: "of it records, tables and texts", unit: "B", value: perKey(full.replica-base.replica, n)},
		figure{what: "full garbage collection, " + keys, unit: "ms", value: full.collection * 1000, must: atMost(50)},
	)
	return r, nil
}

// perKey shares a difference out; in a quick run it can be lost in other work of the process.
func perKey(bytes float64, keys int) float64 { return max(bytes, 1) / float64(keys) }

// rows makes a folder with a database of n keys.
func (l *lab) rows(ctx context.Context, name string, n int) (string, error) {
	if l.kept == "" {
		dir, err := l.folder(name)
		if err != nil {
			return "", err
		}
		return dir, manyRows(ctx, dir, n)
	}
	dir := filepath.Join(l.kept, strconv.Itoa(n))
	whole := filepath.Join(dir, "whole")
	if _, err := os.Stat(whole); err == nil {
		return dir, nil
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return "", err
	}
	if err := manyRows(ctx, dir, n); err != nil {
		return "", err
	}
	return dir, os.WriteFile(whole, nil, 0o600)
}

// started is a process's report of its start: seconds and bytes.
type started struct{ took, resident, collection, replica float64 }

func start(ctx context.Context, dir string) (s started, err error) {
	self, err := os.Executable()
	if err != nil {
		return s, err
	}
	cmd := exec.CommandContext(ctx, self, childWord, "start", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return s, err
	}
	_, err = fmt.Sscan(string(out), &s.took, &s.resident, &s.collection, &s.replica)
	s.took, s.collection = s.took/1e9, s.collection/1e9
	return s, err
}
