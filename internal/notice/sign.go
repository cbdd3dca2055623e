package notice

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// SecretPrefix begins every secret of a webhook, as Standard Webhooks wants it.
const SecretPrefix = "whsec_"

// secretBytes is how long a secret is: the standard wants 24 to 64.
const secretBytes = 32

// NewSecret makes a secret from chance.
func NewSecret(chance io.Reader) ([]byte, error) {
	b := make([]byte, secretBytes)
	if _, err := io.ReadFull(chance, b); err != nil {
		return nil, fmt.Errorf("make a secret: %w", err)
	}
	return b, nil
}

// SecretText is a secret as people keep it.
func SecretText(secret []byte) string {
	return SecretPrefix + base64.StdEncoding.EncodeToString(secret)
}

// The headers of a notice (Standard Webhooks, "Webhook Headers").
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// Signature signs a notice under each secret: HMAC-SHA-256 over id, timestamp and body with dots between them. The
// signatures stand in one line with blanks between them, so that a receiver that knows either secret accepts it.
func Signature(event string, at time.Time, body string, secrets ...[]byte) string {
	var all []string
	for _, s := range secrets {
		if len(s) == 0 {
			continue
		}
		m := hmac.New(sha256.New, s)
		fmt.Fprintf(m, "%s.%s.%s", event, Timestamp(at), body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
	}
	return strings.Join(all, " ")
}

// Timestamp writes a time in seconds, as the header has it.
func Timestamp(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
