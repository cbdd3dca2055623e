package keyward_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/keywardtest"
)

// A program follows the feed by the client alone, against a real server.
func TestTheClientFollowsTheFeed(t *testing.T) {
	t.Parallel()
	s := keywardtest.New(t)
	ws := s.Workspace(t, "Acme", "ada")
	made, err := s.Client().CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{
		Name: "follower", Scopes: []keyward.Scope{keyward.ScopeFollow},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := s.As(t, made.Key.Reveal())
	read := func(body io.ReadCloser, err error) (text, cursor string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = body.Close() }()
		all, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(all)), "\n")
		var end struct{ Cursor, Nonce string }
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil || end.Nonce != "n" {
			t.Fatalf("%s: %v", all, err)
		}
		return string(all), end.Cursor
	}
	below := int64(-1)
	me := keyward.FollowerOptions{Nonce: "n", Fields: []string{"name", "metadata"}, Name: "mine", Version: "v1",
		Incarnation: "i",
		Count:       1, MaxStaleness: time.Second, Age: time.Millisecond, Followers: 2, Below: &below}
	_, cursor := read(c.FeedSnapshot(t.Context(), me))
	created,
		err := s.Client().CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: ws, UserID: "ada", Name: "told",
		RateLimit: keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(5), RequestsPerDay: keyward.Set(7)})})
	if err != nil {
		t.Fatal(err)
	}
	me.Count++
	text, _ := read(c.Feed(t.Context(), keyward.FeedOptions{FollowerOptions: me, After: cursor, Wait: time.Second}))
	if !strings.Contains(text, created.APIKey.ID) || !strings.Contains(text, `"name":"told"`) {
		t.Errorf("the page says %s", text)
	}
	all, err := s.Client().ListFollowers(t.Context())
	if err != nil || len(all) != 1 || all[0].Name != "mine" || all[0].Followers != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	borrows(t, c, ws, created.APIKey.ID)
	me.Count, me.Leaving = me.Count+1, true
	read(c.Feed(t.Context(), keyward.FeedOptions{FollowerOptions: me}))
}

// borrows takes units of a key with 5 a minute and 7 a day, and reports a use.
func borrows(t *testing.T, c *keyward.Client, ws, id string) {
	t.Helper()
	ctx := t.Context()
	minutes, err := c.LeaseMinutes(ctx, keyward.FollowerLeases{Incarnation: "i", Leases: []keyward.FollowerLease{
		{Number: 1, KeyID: id, Cost: 1, Minute: &keyward.FollowerMinute{Want: 9, Ahead: true}},
		{Number: 2, KeyID: "00000000-0000-7000-8000-000000000000", Minute: &keyward.FollowerMinute{Want: 1}},
	}})
	if err != nil || len(minutes.Leases) != 2 || minutes.Leases[0].Minute.Granted != 5 ||
		minutes.Leases[1].Error != keyward.CodeNotFound {
		t.Fatalf("%+v, %v", minutes, err)
	}
	back, err := c.LeaseMinutes(ctx, keyward.FollowerLeases{Incarnation: "i", Leases: []keyward.FollowerLease{
		{Number: 3, KeyID: id, Minute: &keyward.FollowerMinute{
			GiveBack: []keyward.LeaseRest{{Lease: minutes.Leases[0].Minute.Lease, Units: 4}},
		}},
	}})
	if err != nil || back.Leases[0].Minute.Charged != 1 {
		t.Errorf("%+v, %v", back, err)
	}
	today := time.Now().UTC().Format(time.DateOnly)
	days, err := c.ReserveDays(ctx, keyward.FollowerDays{Incarnation: "i", Number: 1, Claims: []keyward.FollowerDay{
		{AccountID: id, Day: today, Want: 9},
	}})
	if err != nil || len(days.Claims) != 1 || days.Claims[0].Granted != 7 {
		t.Errorf("%+v, %v", days, err)
	}
	now := time.Now()
	err = c.ReportUses(ctx, keyward.FollowerUses{Incarnation: "i", Number: 1, Uses: []keyward.FollowerUse{
		{KeyID: id, WorkspaceID: ws, StartMS: now.Truncate(time.Minute).UnixMilli(), UsedMS: now.UnixMilli(),
			Counts: map[keyward.VerdictCode]int64{keyward.VerdictValid: 3}},
	}, Refusals: []keyward.FollowerRefusal{{KeyID: id, AtMS: now.UnixMilli(), Code: keyward.VerdictRateLimited,
		Number: 5}}})
	if err != nil {
		t.Error(err)
	}
}
