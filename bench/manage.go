//go:build linux

package main

import "context"

// manage holds what people and their tools do against the same bare server: each change is durable before it is answered, and a list is
// read from the database.
func manage(_ context.Context, l *lab) (result, error) {
	s, err := l.openSite()
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	var r result
	for _, do := range []struct{ what, request string }{
		{"create", request("POST", "/api/v2/api-keys", s.root, `{"workspaceId":"`+s.ws+`","userId":"u-1","name":"bench","permissions":["calls:read"]}`)},
		{"list of 50", request("GET", "/api/v2/api-keys?workspaceId="+s.ws, s.root, "")},
		{"rotate", request("POST", "/api/v2/api-keys/"+s.key+"/rotate", s.root, `{"overlapSeconds":0}`)},
	} {
		if _, err := l.against(s, do.what, do.request, `"success":true`, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}
