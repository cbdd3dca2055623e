package keyward_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward/keyward"
)

// signed is the head of a notice as the server sends it.
func signed(secret []byte, id string, at time.Time, body string) http.Header {
	m := hmac.New(sha256.New, secret)
	fmt.Fprintf(m, "%s.%d.%s", id, at.Unix(), body)
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("webhook-signature", "v1,AAAA v1a,xyz v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
	return h
}

// The vector of Standard Webhooks' own libraries, which all of them are tested by.
func TestT75TheVectorOfTheStandardIsSignedAlike(t *testing.T) {
	t.Parallel()
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	h := signed(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), `{"test": 2432232314}`)
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got := h.Get("webhook-signature"); got[len(got)-len(want):] != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestT75ANoticeIsGoodByItsSecretAndItsTimeAlone(t *testing.T) {
	t.Parallel()
	secret := []byte("0123456789abcdef0123456789abcdef")
	text := "whsec_" + base64.StdEncoding.EncodeToString(secret)
	const body = `{"type":"api_key.created"}`
	now := time.Now()
	good := signed(secret, "a", now, body)
	if err := keyward.VerifyWebhook(text, good, []byte(body)); err != nil {
		t.Fatal(err)
	}
	changed := func(name, value string) http.Header {
		h := good.Clone()
		h.Set(name, value)
		return h
	}
	for what, err := range map[string]error{
		"another body": keyward.VerifyWebhook(text, good, []byte(body+" ")),
		"another id":   keyward.VerifyWebhook(text, changed("webhook-id", "b"), []byte(body)),
		"another timestamp": keyward.VerifyWebhook(text, changed("webhook-timestamp", strconv.FormatInt(now.Unix()+1, 10)),
			[]byte(body)),
		"no timestamp": keyward.VerifyWebhook(text, changed("webhook-timestamp", ""), []byte(body)),
		"no signature": keyward.VerifyWebhook(text, changed("webhook-signature", ""), []byte(body)),
		"no head":      keyward.VerifyWebhook(text, http.Header{}, []byte(body)),
		"another secret": keyward.VerifyWebhook("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)), good,
			[]byte(body)),
		"six minutes late":  keyward.VerifyWebhook(text, signed(secret, "a", now.Add(-6*time.Minute), body), []byte(body)),
		"six minutes ahead": keyward.VerifyWebhook(text, signed(secret, "a", now.Add(6*time.Minute), body), []byte(body)),
		"another version": keyward.VerifyWebhook(text,
			changed("webhook-signature", strings.ReplaceAll(good.Get("webhook-signature"), "v1,", "v2,")), []byte(body)),
		"a signature of none": keyward.VerifyWebhook(text, changed("webhook-signature", "v1,"), []byte(body)),
	} {
		if !errors.Is(err, keyward.ErrWebhookSignature) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, bad := range []string{"", "whsec_", "whsec_!", base64.StdEncoding.EncodeToString(secret)} {
		if err := keyward.VerifyWebhook(bad, good, []byte(body)); err == nil || errors.Is(err, keyward.ErrWebhookSignature) {
			t.Errorf("the secret %q: %v", bad, err)
		}
	}
}

// webhookCase is a case of sdk/conformance/webhooks.json, by which every client is tested: what is said of a notice
// when the clock shows a time.
type webhookCase struct {
	Name, Says   string
	Secret, Body string
	Headers      map[string]string
	Clock        int64
}

func TestT75ANoticeIsVerifiedAsByEveryClient(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("sdk/conformance/webhooks.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []webhookCase
	if err := json.Unmarshal(raw, &cases); err != nil || len(cases) <= 40 {
		t.Fatal(len(cases), err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Unix(c.Clock, 0)))
				head := http.Header{}
				for name, value := range c.Headers {
					head.Set(name, value)
				}
				err := keyward.VerifyWebhook(c.Secret, head, []byte(c.Body))
				if good := c.Says == "good"; (err == nil) != good {
					t.Fatal(err)
				}
				if errors.Is(err, keyward.ErrWebhookSignature) != (c.Says == "signature") {
					t.Error(err)
				}
				if err != nil && len(c.Secret) > 10 && strings.Contains(err.Error(), c.Secret) {
					t.Errorf("the error tells the secret: %v", err)
				}
			})
		})
	}
}
