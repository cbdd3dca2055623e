package keyward

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// WebhookTolerance is how far the timestamp of a notice may lie from the clock.
const WebhookTolerance = 5 * time.Minute

// ErrWebhookSignature says that a notice is not from the server that has the secret, or was changed, or is too old.
var ErrWebhookSignature = errors.New("keyward: the notice is not signed by the secret, or is too old")

// VerifyWebhook checks a notice to a webhook by Standard Webhooks: the signature over its id, its timestamp and the
// body as it came, byte for byte, and that the timestamp lies within WebhookTolerance of the clock. secret is the one
// that the creation or the rotation of the webhook has shown. An error wraps ErrWebhookSignature, or tells that the
// secret is none. A notice may come more than once: its webhook-id is the same each time.
func VerifyWebhook(secret string, header http.Header, body []byte) error {
	return verifyWebhook(secret, header, body, time.Now())
}

func verifyWebhook(secret string, header http.Header, body []byte, now time.Time) error {
	text, named := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !named || len(key) == 0 {
		return errors.New("keyward: the secret of a webhook begins with whsec_ and goes on in base64")
	}
	id, stamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || id == "" {
		return fmt.Errorf("%w: it has no id or no timestamp", ErrWebhookSignature)
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > WebhookTolerance || age < -WebhookTolerance {
		return fmt.Errorf("%w: its timestamp is %s from the clock", ErrWebhookSignature, age.Round(time.Second))
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, stamp)
	mac.Write(body)
	want := mac.Sum(nil)
	for one := range strings.FieldsSeq(header.Get("webhook-signature")) {
		version, sum, _ := strings.Cut(one, ",")
		got, err := base64.StdEncoding.DecodeString(sum)
		if version == "v1" && err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return fmt.Errorf("%w: no signature fits", ErrWebhookSignature)
}
