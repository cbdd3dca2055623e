package keyward_test

import (
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward"
)

func TestTheLogIsAskedForByEveryFilter(t *testing.T) {
	t.Parallel()
	filtered := operation{
		name: "list",
		call: func(ctx ctx, c *keyward.Client) (any, error) {
			return c.ListLogs(ctx, keyward.ListLogsOptions{
				WorkspaceID: "w1", Search: "s", EventType: "api_key.created", ActorID: "u1", SortOrder: keyward.Ascending,
				From: noon, To: noon.In(time.FixedZone("", 3600)), Limit: 1, Offset: 2,
			})
		},
		method: "GET",
		uri: "/api/v2/workspaces/logs?actorId=u1&eventType=api_key.created&from=2026-11-23T12%3A00%3A00Z&limit=1&offset=2" +
			"&search=s&sortOrder=asc&to=2026-11-23T12%3A00%3A00Z&workspaceId=w1",
		answer: `{"logs":[{"id":"e1","workspaceId":"w1","eventType":"api_key.created","eventDescription":"d","actorId":"u1",
			"actorEmail":null,"createdAt":"2026-11-23T12:00:00.000Z","metadata":{}}],"pagination":{"total":9,"limit":1,
			"offset":2,"hasNext":true,"hasPrevious":true,"nextCursor":"c"},"uniqueEventTypes":["api_key.created"]}`,
		want: keyward.LogPage{
			Logs: []keyward.LogEntry{{
				ID: "e1", WorkspaceID: "w1", EventType: "api_key.created", EventDescription: "d", ActorID: "u1",
				CreatedAt: noon, Metadata: map[string]any{},
			}},
			Pagination: keyward.LogPagination{
				Pagination: keyward.Pagination{Limit: 1, NextCursor: "c", HasNext: true},
				Total:      new(9), Offset: 2, HasPrevious: true,
			},
			UniqueEventTypes: []string{"api_key.created"},
		},
	}
	t.Run(filtered.name, filtered.run)
}

func TestAnExportIsAStream(t *testing.T) {
	t.Parallel()
	const content = "id,eventType\ne1,api_key.created\n"
	client, last := answering(t, 200, content)
	stream, err := client.ExportLogs(t.Context(), keyward.ListLogsOptions{WorkspaceID: "w1"}, keyward.ExportCSV)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	got, err := io.ReadAll(iotest.OneByteReader(stream))
	if diff := cmp.Diff(content, string(got)); diff != "" || err != nil {
		t.Errorf("content, %v (-want +got):\n%s", err, diff)
	}
	if request := last(); request.URI != "/api/v2/workspaces/logs?format=csv&workspaceId=w1" {
		t.Errorf("request was %s", request.URI)
	}
}
