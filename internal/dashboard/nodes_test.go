package dashboard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/store"
)

func member(address string, applied int64, change func(*cluster.Member)) cluster.Member {
	m := cluster.Member{
		Node: store.Node{ID: "id-of-" + address, Address: address, Version: "v1.2", State: store.NodeReady, Applied: applied,
			Limit: 5 * time.Second, Started: time.Now().Add(-time.Hour), Seen: time.Now()},
	}
	if change != nil {
		change(&m)
	}
	return m
}

func TestTheOperatorSeesHowFarEachNodeIs(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.nodes = []cluster.Member{
		member("http://10.0.0.1", 40, func(m *cluster.Member) { m.Self = true }),
		member("http://10.0.0.2", 20, func(m *cluster.Member) {
			m.Behind, m.Fenced, m.Seen, m.Skew = 20, true, time.Now().Add(-10*time.Minute), -90*time.Second
		}),
		member("http://<b>.example", -1, nil),
	}
	page := h.get("root", "/nodes").Body.String()
	rows := strings.Split(page, "<tr>")
	if len(rows) != 5 {
		t.Fatalf("%d rows in %s", len(rows)-2, page)
	}
	for i, wants := range [][]string{
		{"10.0.0.1", ">Ready<", "shows this page", "v1.2", "60 minutes ago"},
		{"10.0.0.2", ">Fenced<", "20 changes", "clock 2 minutes behind", "10 minutes ago"},
		{"http://&lt;b&gt;.example", ">Loading<"},
	} {
		for _, want := range wants {
			if !strings.Contains(rows[i+2], want) {
				t.Errorf("row %d has no %q: %s", i, want, rows[i+2])
			}
		}
	}
	if !strings.Contains(page, "A node has fallen silent") || !strings.Contains(page, "heard nothing new for 5 seconds") {
		t.Error("what is wrong is not said")
	}
	h.nodes = h.nodes[:1]
	if page := h.get("root", "/nodes").Body.String(); !strings.Contains(page, "One process serves this installation") ||
		strings.Contains(page, "silent") {
		t.Errorf("of one node: %s", page)
	}
}

func TestNodesAreTheOperatorsAlone(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.nodes = []cluster.Member{member("http://10.0.0.1", 1, nil)}
	for _, user := range []string{"ada", "amy", "eve"} {
		if a := h.get(user, "/nodes"); a.Code != 403 || strings.Contains(a.Body.String(), "10.0.0.1") {
			t.Errorf("%s: %d", user, a.Code)
		}
		if strings.Contains(h.get(user, "/").Body.String(), `href="/nodes"`) {
			t.Errorf("%s is led there", user)
		}
	}
	if !strings.Contains(h.get("root", "/").Body.String(), `href="/nodes"`) {
		t.Error("the operator is not led there")
	}
}
