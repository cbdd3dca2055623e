package keyward_test

import (
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/keyward/keyward"
)

// paging starts a server that answers each cursor with its page, and counts.
func paging(t *testing.T, pages map[string]string) (*keyward.Client, func() int64) {
	t.Helper()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		page, ok := pages[r.URL.Query().Get("cursor")]
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
			page = `{}`
		}
		_, _ = io.WriteString(w, result(page))
	}))
	t.Cleanup(server.Close)
	return newClient(t, server.URL), asked.Load
}

// ids reads a list to its end.
func ids[T any](list iter.Seq2[T, error], id func(T) string) (all string, err error) {
	for item, err := range list {
		if err != nil {
			return all, err
		}
		all += id(item)
	}
	return all, nil
}

func TestEveryListWalksItsPages(t *testing.T) {
	t.Parallel()
	page := func(id, next string) string {
		items := `[{"id":"` + id + `","userId":"` + id + `"}]`
		after := `null,"hasNext":false`
		if next != "" {
			after = `"` + next + `","hasNext":true`
		}
		return `{"workspaces":` + items + `,"members":` + items + `,"roles":` + items + `,"serviceKeys":` + items +
			`,"logs":` + items + `,"pagination":{"limit":1,"nextCursor":` + after + `}}`
	}
	client, _ := paging(t, map[string]string{"": page("a", "c1"), "c1": page("b", "c2"), "c2": page("c", "")})
	lists := map[string]func() (string, error){
		"workspaces": func() (string, error) {
			return ids(
				client.AllWorkspaces(t.Context(), keyward.ListOptions{}), func(w keyward.Workspace) string { return w.ID },
			)
		},
		"members": func() (string, error) {
			return ids(
				client.AllMembers(t.Context(), "w", keyward.ListOptions{}), func(m keyward.Member) string { return m.UserID },
			)
		},
		"roles": func() (string, error) {
			return ids(client.AllRoles(t.Context(), "w", keyward.ListOptions{}), func(r keyward.Role) string { return r.ID })
		},
		"service keys": func() (string, error) {
			return ids(
				client.AllServiceKeys(t.Context(), keyward.ListOptions{}), func(k keyward.ServiceKey) string { return k.ID },
			)
		},
		"logs": func() (string, error) {
			return ids(client.AllLogs(t.Context(), keyward.ListLogsOptions{}), func(l keyward.LogEntry) string { return l.ID })
		},
	}
	for name, read := range lists {
		if got, err := read(); got != "abc" || err != nil {
			t.Errorf("%s: read %q, %v; want abc", name, got, err)
		}
	}
}

func TestAListEndsWithItsFirstError(t *testing.T) {
	t.Parallel()
	client, _ := paging(t, map[string]string{
		"": `{"roles":[{"id":"a"}],"pagination":{"nextCursor":"gone","hasNext":true}}`,
	})
	got, err := ids(client.AllRoles(t.Context(), "w", keyward.ListOptions{}), func(r keyward.Role) string { return r.ID })
	if got != "a" || err == nil {
		t.Errorf("read %q, %v; want a, then an error", got, err)
	}
}

func TestAListThatDoesNotAdvanceIsAnErrorAndNotALoop(t *testing.T) {
	t.Parallel()
	client, asked := paging(t, map[string]string{
		"":  `{"roles":[],"pagination":{"nextCursor":"c","hasNext":true}}`,
		"c": `{"roles":[],"pagination":{"nextCursor":"c","hasNext":true}}`,
	})
	_, err := ids(client.AllRoles(t.Context(), "w", keyward.ListOptions{}), func(r keyward.Role) string { return r.ID })
	if err == nil || asked() != 2 {
		t.Errorf("after %d pages: %v; want an error after 2", asked(), err)
	}
}
