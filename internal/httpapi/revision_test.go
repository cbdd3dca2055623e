package httpapi_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/keyward/keyward/api"
	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/httpapi"
)

// asked keeps the revision that the latest answer asked about.
type asked struct{ revision int64 }

func (n *asked) Effect(_ context.Context, revision int64, _ bool) cluster.Effect {
	n.revision = revision
	return cluster.Effect{Everywhere: true, Confirmed: 1}
}

func (n *asked) Members(context.Context) ([]cluster.Member, error) { return nil, nil }

func (n *asked) Children(context.Context) ([]cluster.Child, error) { return nil, nil }

// revoking are the operations that answer how far a change has got, each with a request that changes something.
func revoking(s *stage) map[string]func() answer {
	fresh := func() (id, value string) { return s.key(s.ws, "") }
	key := func() string { id, _ := fresh(); return id }
	return map[string]func() answer{
		"updateApiKeys": func() answer {
			return s.call("PUT", "/api/v2/api-keys", `{"apiKeys":[{"id":"`+key()+`","isActive":false}]}`)
		},
		"deleteApiKeys": func() answer { return s.call("DELETE", "/api/v2/api-keys", `{"ids":["`+key()+`"]}`) },
		"deleteApiKey":  func() answer { return s.call("DELETE", "/api/v2/api-keys/"+key(), "") },
		"rotateApiKey":  func() answer { return s.call("POST", "/api/v2/api-keys/"+key()+"/rotate", `{}`) },
		"rotateSelf": func() answer {
			_, v := fresh()
			return s.do(
				"POST", "/api/v2/api-keys/self/rotate", v, `{}`,
			).want(200)
		},
		"updateWorkspace":  func() answer { return s.call("PATCH", s.at(""), `{"name":"other"}`) },
		"deleteWorkspace":  func() answer { return s.call("DELETE", "/api/v2/workspaces/"+s.workspace(), "") },
		"removeMember":     func() answer { return s.call("DELETE", s.at("/members/"+s.member), "") },
		"endPortalSession": func() answer { return s.call("DELETE", "/api/v2/portal-sessions/"+s.portal(), "") },
		"endPortalSessions": func() answer {
			s.portal()
			return s.call("DELETE", "/api/v2/portal-sessions?userId=boss", "")
		},
		"deleteServiceKey": func() answer { return s.call("DELETE", "/api/v2/service-keys/"+s.serviceKey("verify"), "") },
	}
}

// An answer says how far its own change has got: the revision is that of its transaction, in any state of the copy in
// memory.
func TestEveryAnswerWithARevocationAsksForTheRevisionOfItsOwnTransaction(t *testing.T) {
	t.Parallel()
	nodes := &asked{}
	s := &stage{house: open(t, func(c *httpapi.Config) { c.Nodes = nodes })}
	s.prepare("service key")
	operations := revoking(s)
	for _, name := range slices.Sorted(maps.Keys(operations)) {
		nodes.revision = -1
		answered := operations[name]()
		if head := s.db.Stats().LogHead; nodes.revision != head {
			t.Errorf("%s asks for revision %d, and its change is %d: %s", name, nodes.revision, head, answered.Body)
		}
	}
	if want := waiting(t); !slices.Equal(slices.Sorted(maps.Keys(operations)), want) {
		t.Errorf("the operations that take wait are %v", want)
	}
}

// waiting lists the operations of the contract that can wait for the other nodes.
func waiting(t *testing.T) (names []string) {
	t.Helper()
	source, err := api.JSON()
	must(t, err)
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	must(t, json.Unmarshal(source, &document))
	for _, methods := range document.Paths {
		for _, operation := range methods {
			var o struct {
				OperationID string           `json:"operationId"`
				Parameters  []map[string]any `json:"parameters"`
			}
			if json.Unmarshal(operation, &o) != nil {
				continue // the parameters of a path
			}
			if slices.ContainsFunc(o.Parameters, func(p map[string]any) bool {
				ref, _ := p["$ref"].(string)
				return strings.HasSuffix(ref, "/Wait")
			}) {
				names = append(names, o.OperationID)
			}
		}
	}
	slices.Sort(names)
	return names
}
