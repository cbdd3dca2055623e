package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/webhook"
)

func refuse(status int) func(http.ResponseWriter, *http.Request, got) {
	return func(w http.ResponseWriter, _ *http.Request, _ got) { w.WriteHeader(status) }
}

func TestT75ANoticeIsSignedAndTellsOfIDs(t *testing.T) {
	onBoth(t, func(_ *testing.T, k *kit) {
		r := receive(k.T, true, nil)
		w := k.open(k.ws, r.URL)
		k.send(func(c *webhook.Config) { c.Roots = r.roots() })
		made := k.key()
		k.until("a notice", func() bool { return len(r.got()) == 1 })
		g := r.got()[0]
		if g.Type != "api_key.created" || g.Data["apiKeyId"] != string(made.Key.ID) || !g.by(w.Secret) {
			k.Errorf("was sent %+v", g)
		}
		if strings.Contains(g.Body, made.Secret.Reveal()) || strings.Contains(g.Body, "kw_") ||
			strings.Contains(g.Body, `"key"`) {
			k.Errorf("the body tells more than ids: %s", g.Body)
		}
		k.until("its outcome", func() bool { return k.deliveries(w.ID)[0].State == notice.Delivered })
	})
}

func TestEveryKindOfEventIsTold(t *testing.T) {
	k := newKit(t)
	r := receive(t, false, nil)
	w := k.open(k.ws, r.URL)
	everywhere := receive(t, false, nil)
	k.open("", everywhere.URL)
	k.send()
	_, _, err := k.PutMember(t.Context(), k.root, k.ws, "ada",
		control.PutMember{Email: "ada@example.org", Role: string(k.role("Admin"))})
	if err != nil {
		t.Fatal(err)
	}
	made := k.key()
	k.rename(made.Key.ID, "another")
	if _, err = k.RotateKey(t.Context(), k.root, string(made.Key.ID), 0); err != nil {
		t.Fatal(err)
	}
	if err = k.DeleteKey(t.Context(), k.root, string(made.Key.ID)); err != nil {
		t.Fatal(err)
	}
	if _, err = k.RemoveMember(t.Context(), k.root, k.ws, "ada", control.RemoveMember{}); err != nil {
		t.Fatal(err)
	}
	_, err = k.CreatePortal(t.Context(), k.root,
		control.CreatePortal{Workspace: k.ws, User: "owner", Capabilities: []string{"keys:read"},
			AllowedOrigins: []string{}, Origin: "https://keys.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"api_key.created", "api_key.updated", "api_key.rotated", "api_key.revoked", "member.removed",
		"portal_session.created",
	}
	for _, one := range []*receiver{r, everywhere} {
		k.until("all notices", func() bool { return len(one.got()) == len(want) })
		if got := one.types(); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
			t.Errorf("was sent %v", got)
		}
	}
	if g := r.got()[0]; g.Data["userId"] != "owner" || !g.by(w.Secret) {
		t.Errorf("was sent %+v", g)
	}
}

func TestNothingIsToldThatWasBeforeTheWebhookOrThatItDidNotChoose(t *testing.T) {
	k := newKit(t)
	before := k.key()
	r := receive(t, false, nil)
	k.open(k.ws, r.URL, "api_key.revoked")
	k.send()
	k.rename(before.Key.ID, "another")
	k.key()
	if err := k.DeleteKey(t.Context(), k.root, string(before.Key.ID)); err != nil {
		t.Fatal(err)
	}
	k.until("a notice", func() bool { return len(r.got()) > 0 })
	time.Sleep(100 * time.Millisecond)
	if got := r.types(); !slices.Equal(got, []string{"api_key.revoked"}) {
		t.Errorf("was sent %v", got)
	}
}

func TestAnotherWorkspaceIsNotToldOf(t *testing.T) {
	k := newKit(t)
	r := receive(t, false, nil)
	k.open(k.ws, r.URL)
	other := k.found()
	k.send()
	k.key(func(c *control.CreateKey) { c.Workspace = other })
	k.key()
	k.until("a notice", func() bool { return len(r.got()) > 0 })
	time.Sleep(100 * time.Millisecond)
	if all := r.got(); len(all) != 1 || all[0].Data["workspaceId"] != k.ws {
		t.Errorf("was sent %+v", all)
	}
}

func TestT112NoticesOfAnObjectKeepTheirOrderUnderRetries(t *testing.T) {
	onBoth(t, func(_ *testing.T, k *kit) {
		seen := map[string]int{}
		var r *receiver
		r = receive(k.T, false, func(w http.ResponseWriter, _ *http.Request, g got) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if seen[g.ID]++; seen[g.ID] <= len(g.Body)%3 { // some are refused once or twice
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		w := k.open(k.ws, r.URL)
		k.send()
		var keys []string
		for range 4 {
			keys = append(keys, string(k.key().Key.ID))
		}
		for i := range 6 {
			for _, key := range keys {
				k.rename(id.Key(key), fmt.Sprint("name ", i, strings.Repeat("x", i)))
			}
		}
		k.until("the end of all deliveries", func() bool {
			all := k.deliveries(w.ID)
			return len(all) == 28 &&
				!slices.ContainsFunc(all, func(d notice.Delivery) bool { return d.State != notice.Delivered })
		})
		events := map[string][]string{} // of each key, in the order of the log
		for _, d := range k.deliveries(w.ID) {
			events[d.Object] = append(events[d.Object], d.Event)
		}
		came := map[string][]string{}
		for _, g := range r.each() {
			key := g.Data["apiKeyId"].(string)
			if !slices.Contains(came[key], g.ID) {
				came[key] = append(came[key], g.ID)
			} else if last := came[key][len(came[key])-1]; last != g.ID {
				k.Errorf("%s came again after %s", g.ID, last)
			}
		}
		for _, key := range keys {
			if !slices.Equal(came[key], events[key]) {
				k.Errorf("of %s came %v, want %v", key, came[key], events[key])
			}
		}
	})
}

func TestT112ADeadEndpointHoldsNothingBack(t *testing.T) {
	k := newKit(t)
	hang := make(chan struct{})
	dead := receive(t, false, func(_ http.ResponseWriter, q *http.Request, _ got) {
		select {
		case <-hang:
		case <-q.Context().Done():
		}
	})
	defer close(hang)
	for range 15 {
		k.open(k.ws, dead.URL)
	}
	live := receive(t, false, nil)
	k.open(k.ws, live.URL)
	k.send(func(c *webhook.Config) { c.Pace.Attempt = time.Hour }) // a live one that waits for an attempt waits in vain
	k.key()
	k.until("the first notice", func() bool { return len(live.got()) == 1 })
	for range 30 {
		k.key()
	}
	k.until("all notices", func() bool { return len(live.got()) == 31 })
	for _, d := range k.deliveries(k.first(dead.URL)) {
		if d.State == notice.Delivered || d.Error != "" && d.Error != notice.ErrTimeout {
			t.Errorf("a dead one: %+v", d)
		}
	}
}

// Of the backlog of an endpoint that never answers a page is queued. The rest stays in the log, so that the others have
// the database.
func TestT112TheBacklogOfADeadEndpointStaysInTheLog(t *testing.T) {
	const backlog = 350
	k := newKit(t)
	dead := receive(t, false, func(_ http.ResponseWriter, q *http.Request, _ got) { <-q.Context().Done() })
	var silent []id.Webhook
	for range 3 {
		silent = append(silent, k.open(k.ws, dead.URL).ID)
	}
	live := receive(t, false, nil)
	k.open(k.ws, live.URL)
	for range backlog {
		k.key()
	}
	k.send()
	k.until("all notices", func() bool { return len(live.each()) >= backlog && len(live.got()) == backlog })
	k.until("an attempt at each silent one", func() bool { return len(dead.each()) >= len(silent) })
	for _, w := range silent {
		if n := len(k.deliveries(w)); n == 0 || n > webhook.QueueAtOnce {
			t.Errorf("of an endpoint that never answers %d notices are queued, want %d at most", n, webhook.QueueAtOnce)
		}
	}
}

func TestT75BothSecretsSignWhileOneIsRotated(t *testing.T) {
	k := newKit(t)
	r := receive(t, false, nil)
	w := k.open(k.ws, r.URL)
	k.send()
	again := must[control.RevealedWebhook](t)(
		k.RotateWebhook(t.Context(), k.root, string(w.ID), control.Some(int64(3600))),
	)
	k.key()
	k.until("a notice", func() bool { return len(r.got()) == 1 })
	if g := r.got()[0]; len(g.Signatures) != 2 || !g.by(w.Secret) || !g.by(again.Secret) {
		t.Errorf("signatures %v", g.Signatures)
	}
	k.pass(time.Hour + time.Second)
	k.key()
	k.until("a notice", func() bool { return len(r.got()) == 2 })
	if g := r.got()[1]; len(g.Signatures) != 1 || g.by(w.Secret) || !g.by(again.Secret) {
		t.Errorf("signatures after the overlap %v", g.Signatures)
	}
}

func TestT75AReplayAndEachAttemptHaveTheIDOfTheFirst(t *testing.T) {
	k := newKit(t)
	var refused atomic.Bool
	r := receive(t, false, func(w http.ResponseWriter, _ *http.Request, _ got) {
		if !refused.Swap(true) {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	w := k.open(k.ws, r.URL)
	k.send()
	k.key()
	k.until("the delivery", func() bool { d := k.deliveries(w.ID); return len(d) == 1 && d[0].State == notice.Delivered })
	d := k.deliveries(w.ID)[0]
	if d.Attempts != 2 || d.Status != 200 || d.Error != "" {
		t.Errorf("delivered as %+v", d)
	}
	must[notice.Delivery](t)(k.ReplayDelivery(t.Context(), k.root, string(w.ID), string(d.ID)))
	k.until("the replay", func() bool { return len(r.each()) >= 3 })
	for _, g := range r.each() {
		if g.ID != d.Event || g.Body != r.each()[0].Body {
			t.Errorf("came as %+v", g)
		}
	}
}

func TestATestNoticeGoesToItsWebhookAlone(t *testing.T) {
	k := newKit(t)
	r, other := receive(t, false, nil), receive(t, false, nil)
	w := k.open(k.ws, r.URL, "member.removed")
	k.open(k.ws, other.URL)
	k.send()
	must[notice.Delivery](t)(k.TestWebhook(t.Context(), k.root, string(w.ID)))
	k.until("a notice", func() bool { return len(r.got()) == 1 })
	if g := r.got()[0]; g.Type != "webhook.test" || !g.by(w.Secret) {
		t.Errorf("was sent %+v", g)
	}
	if len(other.got()) > 0 {
		t.Errorf("the other was sent %v", other.types())
	}
}

func TestT112AnEndpointThatFailsForThreeDaysIsSwitchedOffWithAnEvent(t *testing.T) {
	onBoth(t, func(_ *testing.T, k *kit) {
		r := receive(k.T, false, refuse(http.StatusInternalServerError))
		w := k.open(k.ws, r.URL)
		k.send()
		k.key()
		k.until("an attempt", func() bool { return len(r.each()) > 0 })
		k.pass(71 * time.Hour)
		tried := len(r.each())
		k.until("an attempt after 71 hours", func() bool { return len(r.each()) > tried })
		if !k.webhook(w).IsActive {
			k.Fatal("is switched off too early")
		}
		k.pass(2 * time.Hour)
		k.until("the end", func() bool { return !k.webhook(w).IsActive })
		if e := k.webhook(w); e.Reason != notice.Failing {
			k.Errorf("was switched off as %+v", e)
		}
		logs := must[control.Logs](k.T)(
			k.ListLogs(k.Context(), k.root, control.ListLogs{Workspace: k.ws, EventType: "webhook.disabled"}),
		)
		if len(logs.Events) != 1 || logs.Events[0].Target != "" && logs.Events[0].Target != string(w.ID) {
			k.Errorf("the log says %+v", logs.Events)
		}
		// What waited has failed; switched on again it begins anew.
		tried = len(r.each())
		k.key()
		time.Sleep(100 * time.Millisecond)
		if len(r.each()) != tried {
			k.Error("a webhook that is off was sent a notice")
		}
		must[notice.Endpoint](k.T)(
			k.UpdateWebhook(k.Context(), k.root, string(w.ID), control.UpdateWebhook{IsActive: control.Some(true)}),
		)
		r.mu.Lock()
		r.answer, r.all = nil, nil
		r.mu.Unlock()
		made := k.key()
		k.until("a notice", func() bool { return len(r.each()) > 0 })
		if g := r.each(); len(g) != 1 || g[0].Data["apiKeyId"] != string(made.Key.ID) {
			k.Errorf("after it was switched on: %+v", g)
		}
	})
}

func TestAnAnswerOfGoneSwitchesOffAtOnce(t *testing.T) {
	k := newKit(t)
	r := receive(t, false, refuse(http.StatusGone))
	w := k.open(k.ws, r.URL)
	k.send()
	k.key()
	k.until("the end", func() bool { return !k.webhook(w).IsActive })
	if e := k.webhook(w); e.Reason != notice.Gone || len(r.got()) != 1 {
		t.Errorf("%+v after %d attempts", e, len(r.got()))
	}
}

func TestADeletedWebhookAndADeletedWorkspaceEndTheNotices(t *testing.T) {
	k := newKit(t)
	r := receive(t, false, refuse(http.StatusInternalServerError))
	w := k.open(k.ws, r.URL)
	other := k.found()
	k.open(other, r.URL)
	k.send()
	k.key()
	k.key(func(c *control.CreateKey) { c.Workspace = other })
	k.until("attempts", func() bool { return len(r.each()) > 1 })
	if err := k.DeleteWebhook(t.Context(), k.root, string(w.ID)); err != nil {
		t.Fatal(err)
	}
	if err := k.DeleteWorkspace(t.Context(), k.root, other); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // an attempt that was under way
	tried := len(r.each())
	time.Sleep(300 * time.Millisecond)
	if n := len(r.each()); n != tried {
		t.Errorf("%d attempts more", n-tried)
	}
	for range 8 {
		if _, err := k.db.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := k.rows(); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

func TestAKeyIsToldOfBeforeAndAtItsEndOnce(t *testing.T) {
	onBoth(t, func(_ *testing.T, k *kit) {
		r := receive(k.T, false, nil)
		k.open(k.ws, r.URL, "api_key.expiring", "api_key.expired")
		stop := k.send()
		end := k.now().Add(31 * 24 * time.Hour).UTC().Truncate(time.Millisecond)
		made := k.key(func(c *control.CreateKey) { c.ExpiresAt = control.Some(end.Format(time.RFC3339Nano)) })
		short := k.key(func(c *control.CreateKey) {
			c.ExpiresAt = control.Some(k.now().Add(3 * 24 * time.Hour).UTC().Format(time.RFC3339Nano))
		})
		time.Sleep(150 * time.Millisecond)
		if len(r.got()) > 0 {
			k.Errorf("was told too early: %v", r.types())
		}
		var want []string
		for _, days := range []int{30, 7, 1, 0} {
			k.pass(end.Add(-time.Duration(days)*24*time.Hour + time.Second).Sub(k.now()))
			kind := notice.KeyExpiring
			if days == 0 {
				kind = notice.KeyExpired
			}
			want = append(want, notice.Derived(kind, made.Key.ID, end.UnixMilli(), days))
			k.until(fmt.Sprint(days, " days before"),
				func() bool { return slices.Contains(k.idsOf(r, made.Key.ID), want[len(want)-1]) })
			if days == 7 { // another node takes over, and tells nothing again
				stop()
				stop = k.send()
			}
		}
		time.Sleep(200 * time.Millisecond)
		if ids := k.idsOf(r, made.Key.ID); !slices.Equal(ids, want) {
			k.Errorf("was told %v, want %v", ids, want)
		}
		if n := len(k.idsOf(r, short.Key.ID)); n != 2 { // a day before, and at its end
			k.Errorf("of a key for 3 days %d notices", n)
		}
	})
}

func TestAKeyWhoseExpiryIsMovedIsToldOfByTheNewOne(t *testing.T) {
	k := newKit(t)
	r := receive(t, false, nil)
	k.open(k.ws, r.URL, "api_key.expiring", "api_key.expired")
	k.send()
	at := func(days float64) string {
		return k.now().Add(
			time.Duration(days * 24 * float64(time.Hour)),
		).UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano)
	}
	made := k.key(func(c *control.CreateKey) { c.ExpiresAt = control.Some(at(8)) })
	k.pass(25 * time.Hour)
	k.until("7 days before", func() bool { return len(r.got()) == 1 })
	_, _, err := k.UpdateKeys(t.Context(), k.root,
		[]control.UpdateKey{{ID: string(made.Key.ID), ExpiresAt: control.Some(at(20))}})
	if err != nil {
		t.Fatal(err)
	}
	k.pass(7 * 24 * time.Hour) // the old end has passed
	time.Sleep(200 * time.Millisecond)
	if len(r.got()) != 1 {
		t.Fatalf("was told of the old end: %v", r.types())
	}
	k.pass(6*24*time.Hour + time.Hour)
	k.until("7 days before the new end", func() bool { return len(r.got()) == 2 })
	if a, b := r.got()[0], r.got()[1]; a.ID == b.ID || b.Data["daysLeft"] != 7.0 {
		t.Errorf("%+v and %+v", a, b)
	}
}

func TestManyKeysThatEndInOneInstantAreToldOfOnceEach(t *testing.T) {
	k := newKit(t)
	r := receive(t, false, nil)
	k.open("", r.URL, "api_key.expired")
	end := k.now().Add(time.Hour).UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano)
	for range 250 {
		k.key(func(c *control.CreateKey) { c.ExpiresAt = control.Some(end) })
	}
	k.pass(2 * time.Hour)
	k.send()
	k.until("all", func() bool { return len(r.got()) >= 250 })
	time.Sleep(200 * time.Millisecond)
	ids := map[string]bool{}
	for _, g := range r.got() {
		ids[g.ID] = true
	}
	if len(ids) != 250 {
		t.Errorf("%d notices, %d ids", len(r.got()), len(ids))
	}
}

func TestAPlanThatIsNearlyUsedUpIsToldOfOnceForEachLevel(t *testing.T) {
	onBoth(t, func(_ *testing.T, k *kit) {
		r := receive(k.T, false, nil)
		k.open(k.ws, r.URL, "plan.near_limit")
		other := receive(k.T, false, nil)
		k.open("", other.URL, "plan.near_limit")
		stop := k.send()
		_, err := k.PutPlan(k.Context(), k.root, k.ws,
			control.PlanInput{MaxKeys: control.Some(int64(5)), PerDay: control.Some(int64(1000))})
		if err != nil {
			k.Fatal(err)
		}
		for range 3 {
			k.key()
		}
		time.Sleep(200 * time.Millisecond)
		if len(r.got()) > 0 {
			k.Errorf("was told too early: %+v", r.got())
		}
		k.key()
		k.until("80 %", func() bool { return len(r.got()) == 1 && len(other.got()) == 1 })
		stop()
		k.send()
		k.key()
		k.until("100 %", func() bool { return len(r.got()) == 2 && len(other.got()) == 2 })
		k.spend(850)
		k.until("80 % of a day", func() bool { return len(r.got()) == 3 && len(other.got()) == 3 })
		time.Sleep(200 * time.Millisecond)
		var told []string
		for _, g := range r.got() {
			told = append(told, fmt.Sprint(g.Data["quota"], g.Data["percent"]))
		}
		if want := []string{"maxKeys80", "maxKeys100", "requestsPerDay80"}; !slices.Equal(told, want) {
			k.Errorf("was told %v", told)
		}
		if a, b := r.got()[0], other.got()[0]; a.ID != b.ID {
			k.Errorf("two endpoints were told under %s and %s", a.ID, b.ID)
		}
	})
}

func TestANodeTakesOverFromOneThatIsDead(t *testing.T) {
	a := newKitOn(t, shared(t))
	r := receive(t, false, nil)
	w := a.open(a.ws, r.URL)
	dying, kill := context.WithCancel(context.Background())
	first := a.sender()
	ended := make(chan struct{})
	go func() { defer close(ended); first.Run(dying) }()
	a.key()
	a.until("a notice", func() bool { return len(r.got()) == 1 })
	a.send() // the second node waits
	time.Sleep(200 * time.Millisecond)
	kill()
	<-ended
	a.lease("a dead node", quick.Lease) // as a node that was killed leaves it
	for range 5 {
		a.key()
	}
	began := time.Now()
	a.until("the notices after the takeover", func() bool { return len(r.got()) >= 6 })
	if took := time.Since(began); took < time.Second || took > 2*quick.Lease {
		t.Errorf("the takeover took %v", took)
	}
	ids := map[string]bool{}
	for _, g := range r.got() {
		ids[g.ID] = true
	}
	if len(ids) != 6 || len(a.deliveries(w.ID)) != 6 {
		t.Errorf("%d ids, %d deliveries", len(ids), len(a.deliveries(w.ID)))
	}
}

func TestASecretIsSealedAndReadAfterThePepperHasChanged(t *testing.T) {
	k := newKit(t)
	r := receive(t, false, nil)
	w := k.open(k.ws, r.URL)
	raw := k.webhook(w)
	if raw.Pepper == "none" || strings.Contains(w.Secret, string(raw.Secret)) || len(raw.Secret) <= 32 {
		t.Fatalf("kept as %q under %s", raw.Secret, raw.Pepper)
	}
	later := must[*keyfmt.Digester](t)(keyfmt.NewDigester("another", "pepper"))
	k.send(func(c *webhook.Config) { c.Digester = later })
	k.until("the new seal", func() bool { return k.webhook(w).Pepper == string(later.CurrentPepper()) })
	k.key()
	k.until("a notice", func() bool { return len(r.got()) == 1 })
	if !r.got()[0].by(w.Secret) {
		t.Error("is signed under another secret")
	}
	lost := must[*keyfmt.Digester](t)(keyfmt.NewDigester("third"))
	if _, err := lost.Unseal(keyfmt.PepperID(k.webhook(w).Pepper), control.WebhookSecrets, k.webhook(w).Secret,
		[]byte(w.ID)); err == nil {
		t.Error("a third pepper opens it")
	}
}

func TestTheDeliveriesThatAreKeptAreBounded(t *testing.T) {
	k := newKit(t)
	w := k.open(k.ws, "https://192.0.2.1.nip.invalid/")
	e := k.webhook(w)
	var all []notice.Delivery
	for i := range 100 {
		all = append(all, notice.Delivery{Kind: notice.Test, Object: fmt.Sprint(i), Body: "{}"})
	}
	k.lease("n", time.Hour)
	for range 13 {
		err := k.db.Count(t.Context(), func(c *store.Counting) error {
			for i := range all {
				all[i].ID, all[i].Event = id.Delivery(k.ids.Next()), k.ids.Next()
			}
			e = k.webhook(w)
			return c.Queue("n", &e, store.Place{Seq: e.Seq, Looked: e.Looked, Key: e.LookedKey}, all)
		})
		if err != nil && !strings.Contains(err.Error(), "full") {
			t.Fatal(err)
		}
		if n := len(k.deliveries(w.ID)); n > notice.KeptDeliveries+notice.MaxPending {
			t.Fatalf("%d are kept", n)
		}
		must[notice.Endpoint](t)(
			k.UpdateWebhook(t.Context(), k.root, string(w.ID), control.UpdateWebhook{IsActive: control.Some(false)}),
		)
		must[notice.Endpoint](t)(
			k.UpdateWebhook(t.Context(), k.root, string(w.ID), control.UpdateWebhook{IsActive: control.Some(true)}),
		)
	}
	if n := len(k.deliveries(w.ID)); n > notice.KeptDeliveries+100 {
		t.Errorf("%d are kept", n)
	}
	k.pass(9 * 24 * time.Hour)
	for range 10 {
		if _, err := k.db.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(k.deliveries(w.ID)); n != 0 {
		t.Errorf("%d are kept after 9 days", n)
	}
}

// A webhook that is given further kinds is told of what happens after that, and of all that it was told of before.
func TestAWebhookThatIsWidenedIsToldOfWhatHappensAfterwards(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	r := receive(t, false, nil)
	e := k.open("", r.URL, "api_key.updated", "api_key.expiring")
	ends := k.now().Add(25 * time.Hour)
	early := k.key(func(c *control.CreateKey) { c.ExpiresAt = control.Some(ends.Format(time.RFC3339)) })
	k.rename(early.Key.ID, "told of")
	k.pass(26 * time.Hour) // the moment a day before its end, and its end, are before the change, too
	_, err := k.UpdateWebhook(t.Context(), k.root, string(e.ID),
		control.UpdateWebhook{Kinds: control.Some([]string{
			"api_key.created", "api_key.updated", "api_key.expiring", "api_key.expired",
		})})
	if err != nil {
		t.Fatal(err)
	}
	late := k.key(func(c *control.CreateKey) {
		c.ExpiresAt = control.Some(k.now().Add(26 * time.Hour).Format(time.RFC3339))
	})
	k.pass(27 * time.Hour)
	k.send()
	want := []string{
		"api_key.created " + string(late.Key.ID), "api_key.expired " + string(late.Key.ID),
		"api_key.expiring " + string(late.Key.ID), "api_key.expiring " + string(early.Key.ID),
		"api_key.updated " + string(early.Key.ID),
	}
	slices.Sort(want)
	told := func() (out []string) {
		for _, d := range k.deliveries(e.ID) {
			out = append(out, string(d.Kind)+" "+d.Object)
		}
		slices.Sort(out)
		return out
	}
	k.until("all of them", func() bool { return len(told()) >= len(want) })
	k.rename(late.Key.ID, "last")
	k.until("one more", func() bool { return len(told()) > len(want) })
	want = append(want, "api_key.updated "+string(late.Key.ID))
	slices.Sort(want)
	if got := told(); !slices.Equal(got, want) {
		t.Errorf("told of %v, want %v", got, want)
	}
}

// The places of all idle webhooks are due at the same time. A step moves a few of them.
func TestAStepMovesTheIdlePlacesOfAFewWebhooks(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	const rest = 7
	places := map[id.Webhook]time.Time{}
	for n := range webhook.IdleAtOnce + rest {
		if n%notice.MaxEndpoints == 0 {
			k.ws = k.found()
		}
		e := k.open(k.ws, "http://127.0.0.1:9/", "api_key.expired")
		places[e.ID] = k.row(e.ID).Looked
	}
	k.pass(time.Hour)
	moved := func() (n int) {
		for w, at := range places {
			if k.row(w).Looked.After(at) {
				n++
			}
		}
		return n
	}
	s := k.sender(func(c *webhook.Config) { c.Pace.Lease = time.Hour }) // no step ends for want of time
	step := func() {
		if err := s.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	step()
	if n := moved(); n != webhook.IdleAtOnce {
		t.Errorf("the first step moved %d places, want %d", n, webhook.IdleAtOnce)
	}
	k.until("all places are moved", func() bool { step(); return moved() == len(places) })
}

func (k *kit) row(w id.Webhook) (e notice.Endpoint) {
	k.Helper()
	err := k.db.View(k.Context(), func(v *store.View) (err error) {
		e, err = v.Webhook(w)
		return err
	})
	if err != nil {
		k.Fatal(err)
	}
	return e
}
