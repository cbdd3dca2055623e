package httpapi_test

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/audit"
)

func TestT73AnExportedCellIsNeverAFormula(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	role := h.do("GET", "/api/v2/workspaces/"+ws+"/roles", h.root, "").want(200).text("data.result.roles.0.id")
	corpus := []string{"=1+1", "+1", "-1", "@SUM(A1)", "=cmd|'/c calc'!A0", "a,b", `a"b`, "'x"}
	for _, user := range []string{"@u", "+u", "-u", "=u"} {
		h.do(
			"PUT", "/api/v2/workspaces/"+ws+"/members/"+user, h.root,
			`{"email":"=1@example.com","displayName":"=1","roleId":"`+role+`"}`,
		).
			want(201)
		value := h.do("POST", "/api/v2/api-keys", h.root, `{"workspaceId":"`+ws+`","userId":"`+user+`","name":"k"}`).
			want(201).
			text("data.result.key")
		for _, name := range corpus {
			quoted, err := json.Marshal(name)
			must(t, err)
			h.do("POST", "/api/v2/api-keys", value, `{"userId":"`+user+`","name":`+string(quoted)+`}`).want(201)
		}
	}
	a := h.do("GET", "/api/v2/workspaces/logs?format=csv&workspaceId="+ws, h.root, "").want(200)
	if got := a.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/csv") {
		t.Error(got)
	}
	rows, err := csv.NewReader(a.Body).ReadAll()
	must(t, err)
	if len(rows) < 4*len(corpus) {
		t.Fatalf("%d rows", len(rows))
	}
	actors := map[string]bool{}
	for i, row := range rows {
		if len(row) != 8 {
			t.Fatalf("row %d: %q", i, row)
		}
		actors[row[4]] = true
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("row %d: the cell %q calculates", i, cell)
			}
		}
	}
	for _, user := range []string{"'@u", "'+u", "'-u", "'=u"} {
		if !actors[user] {
			t.Errorf("no row of %s", user)
		}
	}
}

func TestAnExportHoldsEverythingThatMatches(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	for range 120 {
		h.key(ws, "")
	}
	const logs = "/api/v2/workspaces/logs?eventType=api_key.created&workspaceId="
	lines := func(more string) []string {
		a := h.do("GET", logs+ws+"&format=ndjson"+more, h.root, "").want(200)
		return strings.Split(strings.TrimSuffix(a.Body.String(), "\n"), "\n")
	}
	all := lines("")
	if len(all) != 120 {
		t.Errorf("%d lines", len(all))
	}
	var one struct{ ID, WorkspaceID, EventType, CreatedAt string }
	must(t, json.Unmarshal([]byte(all[0]), &one))
	if one.WorkspaceID != ws || one.EventType != "api_key.created" || one.ID == "" {
		t.Error(all[0])
	}
	if got := lines("&limit=7&sortOrder=asc"); len(got) != 7 || got[0] != all[119] {
		t.Errorf("%d lines, first %s", len(got), got[0])
	}
	h.do("GET", logs+"x&format=csv", h.root, "").refused(404, "not_found", "")
	h.do("GET", logs+ws+"&format=csv", "", "").refused(401, "unauthenticated", "")
	if a := h.do("HEAD", logs+ws+"&format=csv", h.root, "").want(200); !strings.HasPrefix(
		a.Header().Get("Content-Type"), "text/csv",
	) {
		t.Error(a.Header())
	}
	if a := h.do("GET", "/api/v2/workspaces/logs?format=csv&search=nothing-at-all", h.root, "").want(200); strings.Count(
		a.Body.String(), "\r\n",
	) != 1 {
		t.Error(a.Body)
	}
}

// The lines of the whole log's export have what their hashes cover, byte by byte; those of a workspace's have no
// number, which would tell how much happens in others.
func TestT103AnExportOfTheWholeLogIsAChain(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	names := []string{"<b>&", "\u2028 \u2029", "\u00e9 e\u0301", "\U0001F511", `\\ \"`, "/ \u00ad"}
	for _, name := range names {
		quoted, err := json.Marshal(name)
		must(t, err)
		h.key(ws, `,"metadata":{"x":`+string(quoted)+`}`)
	}
	const logs = "/api/v2/workspaces/logs?format=ndjson&sortOrder=asc"
	var before [32]byte
	lines := strings.Split(strings.TrimSpace(h.do("GET", logs, h.root, "").want(200).Body.String()), "\n")
	for i, line := range lines {
		e, err := audit.ReadEvent([]byte(line))
		if err != nil || e.Seq != int64(i+1) || e.Chain(before) != e.Hash {
			t.Errorf("line %d: %v: %s", i+1, err, line)
		}
		before = e.Hash
	}
	if len(lines) < len(names) {
		t.Errorf("%d lines", len(lines))
	}
	for _, part := range []string{logs + "&workspaceId=" + ws, "/api/v2/workspaces/logs?limit=5"} {
		text := h.do("GET", part, h.root, "").want(200).Body.String()
		if strings.Contains(text, `"seq"`) || strings.Contains(text, `"hash"`) {
			t.Errorf("%s has numbers: %s", part, text)
		}
	}
}

func TestTheLogIsPagedByOffsetAndByCursor(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	for range 5 {
		h.key(ws, "")
	}
	at := "/api/v2/workspaces/logs?limit=3&workspaceId=" + ws
	first := h.do("GET", at, h.root, "").want(200)
	if first.at("data.result.pagination.total") != 7.0 || first.at("data.result.pagination.hasNext") != true ||
		first.at(
			"data.result.pagination.hasPrevious",
		) != false || len(first.at("data.result.uniqueEventTypes").([]any)) != 3 {
		t.Error(first.Body)
	}
	byCursor := h.do("GET", at+"&cursor="+first.text("data.result.pagination.nextCursor"), h.root, "").want(200)
	byOffset := h.do("GET", at+"&offset=3", h.root, "").want(200)
	if byCursor.text("data.result.logs.0.id") != byOffset.text("data.result.logs.0.id") ||
		byOffset.at("data.result.pagination.hasPrevious") != true {
		t.Errorf("%s\n%s", byCursor.Body, byOffset.Body)
	}
}

func TestAnExportTakesNoCursor(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	for _, format := range []string{"csv", "ndjson"} {
		a := h.do("GET", "/api/v2/workspaces/logs?format="+format+"&cursor=x&workspaceId="+ws, h.root, "").want(400)
		if !strings.Contains(a.Body.String(), "cursor") {
			t.Errorf("%s: %s", format, a.Body)
		}
	}
}

func TestTheLogTakesTimesAsISO8601HasThem(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	for _, at := range []string{"2026-01-31T08:30Z", "2026-01-31T08:30:00%2B0000", "2026-01-31T08:30:00%2B03"} {
		h.do("GET", "/api/v2/workspaces/logs?from="+at+"&workspaceId="+ws, h.root, "").want(200)
	}
}
