package keywardtest_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/keywardtest"
)

func verdict(t *testing.T, s *keywardtest.Server, key string, permissions ...string) keyward.VerdictCode {
	t.Helper()
	v, err := s.Client().
		Verify(t.Context(), keyward.VerifyRequest{Key: key, Permissions: keyward.Demand{All: permissions}})
	if err != nil {
		t.Fatal(err)
	}
	return v.Code
}

func TestAServerIsThereAndGoneWithTheTest(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("inside", func(t *testing.T) {
		s := keywardtest.New(t)
		url = s.URL
		workspace := s.Workspace(t, "Acme", "ada")
		key := s.Key(t, workspace, "ada", "calls:read")
		if code := verdict(t, s, key, "calls:read"); code != keyward.VerdictValid {
			t.Errorf("%s", code)
		}
		if code := verdict(t, s, key, "calls:write"); code != keyward.VerdictInsufficientPermissions {
			t.Errorf("%s", code)
		}
		if self, err := s.As(t, key).SelfKey(t.Context()); err != nil || self.UserID != "ada" {
			t.Errorf("%+v, %v", self, err)
		}
	})
	c, err := keyward.New(url, keyward.WithRetry(0))
	if err != nil {
		t.Fatal(err)
	}
	if c.Health(t.Context()) == nil {
		t.Error("the server answers after its test")
	}
}

func TestAKeyExpiresByTheTestsClock(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	s := keywardtest.New(t, keywardtest.WithNow(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }))
	workspace := s.Workspace(t, "Acme", "ada")
	at := time.Now().Add(time.Hour)
	created, err := s.Client().
		CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: workspace, UserID: "ada", Name: "k", ExpiresAt: &at})
	if err != nil {
		t.Fatal(err)
	}
	if code := verdict(t, s, created.Key.Reveal()); code != keyward.VerdictValid {
		t.Errorf("before: %s", code)
	}
	ahead.Store(int64(61 * time.Minute))
	if code := verdict(t, s, created.Key.Reveal()); code != keyward.VerdictExpired {
		t.Errorf("after: %s", code)
	}
	ahead.Store(0)
	if code := verdict(t, s, created.Key.Reveal()); code != keyward.VerdictValid {
		t.Errorf("with the jump taken back: %s", code)
	}
}

func TestEveryOptionIsTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	catalogue, database := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "k.db")
	if err := os.WriteFile(catalogue, []byte("- {resource: orders, action: read}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	var key string
	t.Run("first", func(t *testing.T) {
		s := keywardtest.New(t, keywardtest.WithCatalogue(catalogue), keywardtest.WithPepper("sixteen characters"),
			keywardtest.WithKeyPrefix("shop"), keywardtest.WithDatabase(database), keywardtest.WithLog(&log))
		key = s.Key(t, s.Workspace(t, "Acme", "ada"), "ada", "orders:read")
	})
	if !strings.HasPrefix(key, "shop_live_") || !strings.Contains(log.String(), "listening") ||
		strings.Contains(log.String(), key[10:22]) {
		t.Errorf("the options were not taken: %s", log.String())
	}
	again := keywardtest.New(t, keywardtest.WithCatalogue(catalogue), keywardtest.WithPepper("sixteen characters"),
		keywardtest.WithKeyPrefix("shop"), keywardtest.WithDatabase(database),
		keywardtest.WithWebhookNetworks(netip.MustParsePrefix("127.0.0.0/8")))
	const receiver = "http://127.0.0.1:9/hooks"
	ws := again.Workspace(t, "Acme", "ada")
	made, err := again.Client().CreateWebhook(t.Context(), keyward.CreateWebhookRequest{WorkspaceID: ws, URL: receiver})
	if err != nil || made.Webhook.URL != receiver {
		t.Errorf("a webhook on this machine: %v", err)
	}
	if code := verdict(t, again, key, "orders:read"); code != keyward.VerdictValid {
		t.Errorf("after another start: %s", code)
	}
}
