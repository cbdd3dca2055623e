package feedhttp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feedhttp"
)

// cursorOf gives the cursor at the end of an answer.
func cursorOf(t *testing.T, text string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var end struct{ Cursor string }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil || end.Cursor == "" {
		t.Fatalf("%q, %v", text, err)
	}
	return end.Cursor
}

// A cursor is enough to go on: a page that names no fields has those of its cursor. Other fields than before, and other
// bounds, are another history.
func TestAPageThatNamesNoFieldsHasThoseOfItsCursor(t *testing.T) {
	t.Parallel()
	source, model := newShared(1)
	close(model.open)
	for fields := range 1 << 3 {
		loaded := feedhttp.Question{Name: fields&1 != 0, Metadata: fields&2 != 0, Second: fields&4 != 0}
		asked := loaded
		var snapshot bytes.Buffer
		if err := source.WriteSnapshot(t.Context(), &snapshot, nil, &asked); err != nil {
			t.Fatal(err)
		}
		after := cursorOf(t, snapshot.String())
		model.Put(apikey.Key{ID: "late", Workspace: "w", Name: "orders"})
		source.Ring()

		page := feedhttp.Question{Fieldless: true}
		at, err := source.Position(after, &page)
		if err != nil || page.Name != loaded.Name || page.Metadata != loaded.Metadata || page.Second != loaded.Second {
			t.Errorf("%+v, and after it %+v, %v", loaded, page, err)
			continue
		}
		found, err := source.Await(t.Context(), feed.Presence{At: at})
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := source.WritePage(&text, nil, &found, &page); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), `"name":"orders"`) != loaded.Name {
			t.Errorf("%+v: %s", loaded, text.String())
		}
		again := feedhttp.Question{Fieldless: true}
		if _, err := source.Position(cursorOf(t, text.String()), &again); err != nil {
			t.Errorf("%+v: after the page: %v", loaded, err)
		}

		named := loaded
		if _, err := source.Position(after, &named); err != nil {
			t.Errorf("%+v: the same fields: %v", loaded, err)
		}
		other := loaded
		other.Name = !other.Name
		elsewhere := feedhttp.Question{Fieldless: true, Reach: inside("w")}
		for what, q := range map[string]*feedhttp.Question{"other fields": &other, "other bounds": &elsewhere} {
			if _, err := source.Position(after, q); !errors.Is(err, feed.ErrHistory) {
				t.Errorf("%+v: %s: %v", loaded, what, err)
			}
		}
	}
	if _, err := source.Position("nonsense", &feedhttp.Question{Fieldless: true}); !errors.Is(err, feedhttp.ErrNoCursor) {
		t.Error(err)
	}
}
