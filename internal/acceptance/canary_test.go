package acceptance_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// pieceLength is how much of a key must not be found anywhere: 71 bits, which no chance brings about.
const pieceLength = 12

// pieces are all parts of that length of the random halves of keys, and of what starts sessions.
func pieces(keys map[string]bool) map[string]string {
	all := map[string]string{}
	for key := range keys {
		body := key[strings.LastIndexByte(key, '_')+1:]
		if likeASession.MatchString(key) { // base64url may hold the sign itself
			body = key[len(key)-43:]
		}
		for i := 0; i+pieceLength <= len(body); i++ {
			all[body[i:i+pieceLength]] = key
		}
	}
	return all
}

// findPiece gives the first piece in a text.
func findPiece(all map[string]string, in []byte) (piece string, at int, found bool) {
	for i := 0; i+pieceLength <= len(in); i++ {
		if _, hit := all[string(in[i:i+pieceLength])]; hit {
			return string(in[i : i+pieceLength]), i, true
		}
	}
	return "", 0, false
}

// canaries looks for pieces of keys wherever the server leaves something, after everything that the conversations did
// with them.
func (h *house) canaries(t *testing.T) {
	all := pieces(h.keys)
	portals := 0
	for key := range h.keys {
		if strings.HasPrefix(key, "keyward_portal") {
			portals++
		}
	}
	if len(h.keys) < 50 || portals < 2 {
		t.Fatalf("only %d keys, %d of portals, were seen: too few to find anything", len(h.keys), portals)
	}
	places := map[string][]byte{}
	for name, target := range map[string]string{
		"metrics": "/metrics", "log as CSV": "/api/v2/workspaces/logs?format=csv",
		"log as NDJSON": "/api/v2/workspaces/logs?format=ndjson",
		"document":      "/openapi.json", "service keys": "/api/v2/service-keys",
	} {
		e, err := h.ask(t.Context(), http.MethodGet, target, http.Header{"Authorization": {"Bearer " + h.root}}, nil)
		if err != nil || e.response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v, %d", name, err, e.response.StatusCode)
		}
		places[name] = e.body
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	out, err := h.keyward(t.Context(), "backup", backup)
	if err != nil {
		t.Fatal(err)
	}
	places["output of backup"] = out
	places["backup"] = read(t, backup)
	h.knowsBackup(t, int64(len(places["backup"])))
	h.files(t, places, "running")
	if len(places["file keyward.db-wal, running"]) == 0 {
		t.Error("the write-ahead log is not where it is looked for")
	}
	h.stop(t)
	h.files(t, places, "stopped")
	places["output of the server"] = []byte(h.output.String())

	for name, content := range places {
		if len(content) == 0 && !strings.HasPrefix(name, "output of backup") && !strings.Contains(name, "file") {
			t.Errorf("%s: there is nothing to look at", name)
		}
		if piece, at, found := findPiece(all, content); found {
			t.Errorf(
				"%s: a piece of a key (%s) at byte %d:\n%q", name, piece, at, content[max(0, at-200):min(len(content), at+100)],
			)
		}
	}
	t.Logf("%d keys, %d places", len(h.keys), len(places))
}

// knowsBackup tells whether the running server knows of a backup that a command beside it has made, and goes on to take
// changes.
func (h *house) knowsBackup(t *testing.T, bytes int64) {
	t.Helper()
	var answer struct {
		Data struct {
			Result keyward.Installation `json:"result"`
		} `json:"data"`
	}
	e, err := h.ask(t.Context(), http.MethodGet, "/api/v2/installation",
		http.Header{"Authorization": {"Bearer " + h.root}}, nil)
	if err == nil {
		err = json.Unmarshal(e.body, &answer)
	}
	last := answer.Data.Result.LastBackup
	if err != nil || last == nil || last.SizeBytes != bytes || time.Since(last.At) > 10*time.Minute {
		t.Errorf("the last backup is %+v, %v, want one of %d bytes: %s", last, err, bytes, e.body)
	}
	for _, one := range answer.Data.Result.Attention {
		if one.Code == "backup_missing" || one.Code == "backup_old" {
			t.Errorf("after a backup: %s", one.Message)
		}
	}
	made, err := h.ask(t.Context(), http.MethodPost, "/api/v2/service-keys",
		http.Header{"Authorization": {"Bearer " + h.root},
			"Content-Type": {"application/json"}}, []byte(`{"name":"after","scopes":["verify"]}`))
	if err != nil || made.response.StatusCode != http.StatusCreated {
		t.Errorf("a change after the backup: %v, %s", err, made.body)
	}
}

// files adds the files in the database's directory: the database, its write-ahead log, and any other file left there.
func (h *house) files(t *testing.T, places map[string][]byte, when string) {
	t.Helper()
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		places["file "+e.Name()+", "+when] = read(t, filepath.Join(h.dir, e.Name()))
	}
	if !bytes.HasPrefix(places["file keyward.db, "+when], []byte("SQLite format 3")) {
		t.Errorf("the database is not where it is looked for")
	}
}

// dump looks for pieces of keys in the whole content of PostgreSQL, and in the output of the server.
func (h *house) dump(t *testing.T) {
	dump, err := pgtest.Shared(t).Command("pg_dump", h.database).Output()
	if err != nil || !bytes.Contains(dump, []byte("COPY keyward.events")) {
		t.Fatalf("pg_dump: %d bytes, %v", len(dump), err)
	}
	out, err := h.keyward(t.Context(), "backup", filepath.Join(t.TempDir(), "backup.db"))
	if err == nil || !bytes.Contains(out, []byte("pg_dump")) {
		t.Errorf("keyward backup: %v, %s", err, out)
	}
	recorded := filepath.Join(t.TempDir(), "keyward.dump")
	if err := os.WriteFile(recorded, dump, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := h.keyward(t.Context(), "backup", "--record", recorded); err != nil {
		t.Errorf("keyward backup --record: %v, %s", err, out)
	}
	h.knowsBackup(t, int64(len(dump)))
	h.stop(t)
	all := pieces(h.keys)
	for name, content := range map[string][]byte{"pg_dump": dump, "output of the server": []byte(h.output.String())} {
		if piece, at, found := findPiece(all, content); found || len(content) == 0 {
			t.Errorf("%s, %d bytes: a piece of a key (%s) at byte %d", name, len(content), piece, at)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestT18TheSweepFindsAPieceWhereThereIsOne(t *testing.T) {
	t.Parallel()
	body := "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
	all := pieces(map[string]bool{"kw_live_" + body: true})
	for _, hidden := range []string{body[:12], body[37:], body[20:40]} {
		if _, _, found := findPiece(all, []byte("\x00before"+hidden+"after\xff")); !found {
			t.Errorf("%q was not found", hidden)
		}
	}
	if piece, _, found := findPiece(all, []byte("kw_live_0123…jklm and "+body[5:16])); found {
		t.Errorf("%q was found where only shorter parts are", piece)
	}
}
