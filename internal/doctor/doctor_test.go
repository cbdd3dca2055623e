package doctor_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/doctor"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/rig"
)

// says fails unless a finding of the level holds every text, and each that is no ok says why it matters and what to do.
func says(t *testing.T, what string, found []doctor.Finding, level doctor.Level, texts ...string) {
	t.Helper()
	var all []string
	there := false
	for _, f := range found {
		line := fmt.Sprintf("%s %s %s; %s: %s", f.Level, f.Subject, f.What, f.Why, f.Do)
		all = append(all, line)
		if f.Level != doctor.OK && (f.Why == "" || f.Do == "") {
			t.Errorf("%s: %q lacks why or what to do", what, line)
		}
		holds := f.Level == level
		for _, text := range texts {
			holds = holds && strings.Contains(line, text)
		}
		there = there || holds
	}
	if !there {
		t.Errorf("%s: no %s with %q in:\n%s", what, level, texts, strings.Join(all, "\n"))
	}
	if strings.Contains(strings.Join(all, ""), "hush") {
		t.Errorf("%s: a password is shown: %s", what, all)
	}
}

func redis(url string) []doctor.Finding {
	cfg := config.Default()
	cfg.Redis = keyfmt.NewSecret(url)
	return doctor.Redis(context.Background(), &cfg, time.Now)
}

func TestRedisIsExamined(t *testing.T) {
	t.Parallel()
	r := rig.StartRedis(t)
	at := "redis://" + r.Addr
	says(t, "as it should be", redis(at), doctor.OK, "redis answers within")
	if found := redis(at); len(found) != 1 {
		t.Errorf("as it should be: %v", found)
	}
	r.CLI("CONFIG", "SET", "maxmemory", "100mb")
	r.CLI("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	says(t, "eviction", redis(at), doctor.Warn, "allkeys-lru", "admits", "noeviction")
	r.CLI("CONFIG", "SET", "maxmemory-policy", "noeviction")
	says(t, "another database", redis(at+"/99"), doctor.Fail, "cannot be asked", "name a database that there is")
	says(t, "a cluster's URL", redis("redis+cluster://"+r.Addr), doctor.Fail, "redis")
	r.CLI("ACL", "SETUSER", "narrow", "on", ">hush", "~keyward:*", "+@read", "+@write", "+ping", "+info", "+client",
		"+hello")
	says(t, "a user without EVAL and TIME", redis("redis://narrow:hush@"+r.Addr), doctor.Fail, "TIME", "EVAL",
		"ACL SETUSER")
	r.CLI("ACL", "SETUSER", "blind", "on", ">hush", "~*", "+@all", "-info")
	says(t, "a user without INFO", redis("redis://blind:hush@"+r.Addr), doctor.Warn, "does not tell about itself")
	says(t, "a wrong password", redis("redis://narrow:hush2@"+r.Addr), doctor.Fail, "WRONGPASS",
		"correct the user or the password")
	r.CLI("CONFIG", "SET", "requirepass", "hush")
	says(t, "no password", redis(at), doctor.Fail, "NOAUTH", "KEYWARD_REDIS_PASSWORD_FILE")
	says(t, "nobody there", redis("redis://127.0.0.1:1"), doctor.Fail, "cannot be asked", "start Redis")
}

func TestAReplicaOfRedisIsFound(t *testing.T) {
	t.Parallel()
	primary := rig.StartRedis(t)
	host, port, _ := strings.Cut(primary.Addr, ":")
	replica := rig.StartRedis(t, "--replicaof", host, port)
	says(t, "a replica", redis("redis://"+replica.Addr), doctor.Fail, "is a replica", "name the primary")
}

func TestANodeOfAClusterIsFound(t *testing.T) {
	t.Parallel()
	nodes := rig.StartRedisCluster(t, 3, 1)
	says(t, "the URL of one server", redis("redis://"+nodes[0].Addr), doctor.Fail, "is a node of a cluster",
		"redis+cluster://")
	whole := redis("redis+cluster://" + nodes[0].Addr + "," + nodes[1].Addr)
	says(t, "the URL of the cluster", whole, doctor.OK, "answers within")
	if len(whole) != 1 {
		t.Errorf("the URL of the cluster: %v", whole)
	}
}

// provider answers as an OpenID provider does, with a clock of its own.
func provider(t *testing.T, bits int, ahead time.Duration) *httptest.Server {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, s.URL, s.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		n := base64.RawURLEncoding.EncodeToString(key.N.Bytes())
		fmt.Fprintf(w, `{"keys":[{"kty":"RSA","kid":"k","use":"sig","e":"AQAB","n":%q}]}`, n)
	})
	return s
}

func issuer(at string) []doctor.Finding {
	cfg := config.Default()
	cfg.OIDC.Issuer = at
	return doctor.Issuer(context.Background(), &cfg, time.Now)
}

func TestTheIssuerIsExamined(t *testing.T) {
	t.Parallel()
	good := provider(t, 2048, 0)
	says(t, "as it should be", issuer(good.URL), doctor.OK, "issuer", "with 1 keys")
	says(t, "its clock", issuer(good.URL), doctor.OK, "clock agrees")
	says(t, "a clock that is off", issuer(provider(t, 2048, 30*time.Second).URL), doctor.Warn, "clock", "differ by 30s")
	says(t, "a clock that is far off", issuer(provider(t, 2048, -time.Hour).URL), doctor.Fail, "clock", "differ by 1h0m")
	says(t, "a short key", issuer(provider(t, 1024, 0).URL), doctor.Fail, "has no key", "1024 bits")
	says(t, "another name", issuer(good.URL+"/"), doctor.Fail, "calls itself", "to the letter")
	says(t, "nobody there", issuer("http://127.0.0.1:1"), doctor.Fail, "refused", "reaches the provider")
}

func TestCertificatesAreExamined(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.TLSCert, cfg.TLSKey, _ = rig.Certificate(t)
	look := func(ahead time.Duration) []doctor.Finding { return doctor.Certificates(&cfg, time.Now().Add(ahead)) }
	says(t, "one hour before its end", look(0), doctor.Warn, "ends at", "renew it")
	says(t, "after its end", look(2*time.Hour), doctor.Fail, "has ended", "renew it")
	says(t, "before its beginning", look(-2*time.Hour), doctor.Fail, "begins at", "clock")
	says(t, "long before its end", look(-20*time.Hour), doctor.Fail, "begins at")
	cfg.PublicURL = "https://keyward.example.com"
	says(t, "another name", look(0), doctor.Warn, "is not for keyward.example.com")
}

func TestTheCheapOnesAreExamined(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	says(t, "every proxy", doctor.Cheap(&cfg), doctor.Warn, "0.0.0.0/0", "each client", "your proxies alone")
	cfg.MaxConnections = 1 << 30
	says(t, "descriptors", doctor.Cheap(&cfg), doctor.Warn, "files may be open", "LimitNOFILE")
	says(t, "disk", doctor.Cheap(&cfg), doctor.OK, "disk", "MiB are free")
}
