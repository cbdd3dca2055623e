package keyward_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/keyward/keyward"
)

// leaks finds any twelve characters of a secret in a text; what stands before its random part is no secret.
func leaks(text, secret string) bool {
	for i := strings.LastIndex(secret, "_") + 1; i+12 <= len(secret); i++ {
		if strings.Contains(text, secret[i:i+12]) {
			return true
		}
	}
	return false
}

// every prints a value by every road that a program is likely to take.
func every(t *testing.T, value any) string {
	t.Helper()
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		fmt.Fprintf(&b, verb+"\n", value)
	}
	fmt.Fprintln(&b, value, fmt.Errorf("refused: %v", value))
	slog.New(slog.NewTextHandler(&b, nil)).Info("value", "value", value)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("value", slog.Any("value", value))
	return b.String()
}

func TestT18NoValueIsPrintedByAnyRoad(t *testing.T) {
	t.Parallel()
	client, _ := answering(t, 201, result(`{"apiKey":{"id":"k1","key":"`+fullKey+`"},"key":"`+fullKey+`"}`))
	created, err := client.CreateKey(t.Context(), keyward.CreateKeyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if created.Key.Reveal() != fullKey || created.APIKey.Key != "kw_live_AbCd…wxyz" {
		t.Errorf("revealed %q, shown as %q", created.Key.Reveal(), created.APIKey.Key)
	}
	type holder struct{ inside any }
	secret := keyward.NewSecret(fullKey)
	values := map[string]any{
		"secret": secret, "pointer": &secret, "created": created, "pointer to created": &created,
		"unexported field": struct{ s keyward.Secret }{secret}, "unexported interface": holder{created},
		"slice": []keyward.Secret{secret}, "map": map[string]keyward.Secret{"k": secret},
		"import":      keyward.ImportedKeys{Imported: []keyward.ImportedKey{{Key: secret}}},
		"service key": keyward.CreatedServiceKey{Key: secret},
	}
	for name, value := range values {
		if text := every(t, value); leaks(text, fullKey) {
			t.Errorf("%s leaks:\n%s", name, text)
		}
		data, err := json.Marshal(value)
		if err != nil || leaks(string(data), fullKey) {
			t.Errorf("%s as JSON leaks or fails: %v %s", name, err, data)
		}
	}
}

func TestT18AQuestionHidesTheKeyThatItAsksAbout(t *testing.T) {
	t.Parallel()
	request := keyward.VerifyRequest{Key: fullKey, IP: "10.0.0.1"}
	text := every(t, request) + fmt.Sprintf("%+v %#v", []keyward.VerifyRequest{request}, &request)
	if leaks(text, fullKey) {
		t.Errorf("the request leaks:\n%s", text)
	}
	if !strings.Contains(text, "10.0.0.1") {
		t.Error("the request says nothing at all")
	}
}

func TestT18NoClientAndNoErrorHoldsTheToken(t *testing.T) {
	t.Parallel()
	client := newClient(t, "http://127.0.0.1:1")
	_, unreachable := client.Verify(t.Context(), keyward.VerifyRequest{Key: fullKey})
	_, badToken := keyward.New("http://x", keyward.WithToken(fullKey+"\n"))
	answered, _ := answering(t, 401, `{"error":{"code":"unauthenticated","message":"No."}}`)
	_, refused := answered.GetKey(t.Context(), "k")
	echoed, _ := answering(t, 200, `"`+token+fullKey+`"`)
	_, undecoded := echoed.Verify(t.Context(), keyward.VerifyRequest{Key: fullKey})
	misplaced, _ := answering(t, 201, result(`{"key":{"value":"`+fullKey+`"}}`))
	_, unread := misplaced.CreateKey(t.Context(), keyward.CreateKeyRequest{})
	for name, value := range map[string]any{
		"client": client, "client's value": *client, "unreachable": unreachable, "bad token": badToken, "refused": refused,
		"undecoded": undecoded, "unread": unread,
	} {
		if err, ok := value.(error); ok && err == nil || value == nil {
			t.Errorf("%s is nil", name)
		}
		if text := every(t, value); leaks(text, token) || leaks(text, fullKey) {
			t.Errorf("%s leaks:\n%s", name, text)
		}
	}
}

func TestT17AKeyIsNotPutIntoAURL(t *testing.T) {
	t.Parallel()
	s := &script{answers: []scripted{done}}
	client := s.client(t)
	_, byID := client.GetKey(t.Context(), fullKey)
	_, bySearch := client.ListKeys(t.Context(), keyward.ListKeysOptions{Search: fullKey})
	_, byUser := client.GetMember(t.Context(), "w", token)
	for _, err := range []error{byID, bySearch, byUser} {
		if err == nil || leaks(err.Error(), fullKey) || leaks(err.Error(), token) {
			t.Errorf("error is %v", err)
		}
	}
	if len(s.at) != 0 {
		t.Errorf("%d requests were sent", len(s.at))
	}
}

func TestASecretComparesByItsValue(t *testing.T) {
	t.Parallel()
	a, b := keyward.NewSecret("a"), keyward.NewSecret("b")
	if !a.Equal(keyward.NewSecret("a")) || a.Equal(b) || a.Equal(keyward.Secret{}) || !keyward.NewSecret("").IsZero() {
		t.Error("equality is wrong")
	}
}
