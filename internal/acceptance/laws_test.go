package acceptance_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/keyfmt"
)

// exchange is one request and its answer.
type exchange struct {
	request  *http.Request
	sent     []byte
	response *http.Response
	body     []byte
}

// codes is the contract's table from status to codes.
var codes = map[int][]string{
	400: {"invalid_request"},
	401: {"unauthenticated"},
	403: {"permission_denied", "permission_escalation"},
	404: {"not_found"},
	405: {"method_not_allowed"},
	409: {"conflict", "limit_reached"},
	413: {"body_too_large"},
	415: {"unsupported_media_type"},
	429: {"rate_limited"},
	503: {"unavailable", "outcome_unknown"},
}

// laws hold for every answer to every request. They return the code of a failure, "" for a success.
func laws(e exchange) (code string, wrong []string) {
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	status, head := e.response.StatusCode, e.response.Header
	if head.Get("X-Request-Id") == "" {
		complain("no X-Request-Id")
	}
	challenge, _, _ := strings.Cut(head.Get("WWW-Authenticate"), " ")
	if status == 401 && challenge != "Bearer" && challenge != "DPoP" { // DPoP: a portal's (RFC 9449)
		complain("401 with WWW-Authenticate %q", head.Get("WWW-Authenticate"))
	}
	if status == 405 && head.Get("Allow") == "" {
		complain("405 without Allow")
	}
	if status == 429 && head.Get("Retry-After") == "" {
		complain("429 without Retry-After")
	}
	page := e.request.URL != nil && !strings.HasPrefix(e.request.URL.Path, "/api/") // whose visitor is sent to sign in
	if status >= 300 && status < 400 && (status != http.StatusSeeOther || !page) {
		complain("a redirect to %q", head.Get("Location"))
	}
	wrong = append(wrong, secrecy(e)...)
	if e.request.Method == http.MethodHead {
		return "", wrong
	}
	code, envelope := envelopeOf(e)
	return code, append(wrong, envelope...)
}

var (
	format, _ = keyfmt.NewFormat(keyfmt.DefaultPrefix)
	likeAKey  = regexp.MustCompile(`kw_(?:live|test|svc)_[0-9A-Za-z]{49}`)

	// likeASession matches what starts a session or goes on with one: secrets of links, invitations and portal sessions,
	// and tokens.
	likeASession = regexp.MustCompile(`keyward_[a-z]+_[0-9A-Za-z_-]{43}`)
)

// wholeKeys are the keys in a text. A text that only looks like one, such as the examples in the document, has a
// wrong checksum.
func wholeKeys(text string) []string {
	var keys []string
	for _, like := range likeAKey.FindAllString(text, -1) {
		if _, ok := format.Parse(like); ok {
			keys = append(keys, like)
		}
	}
	return keys
}

// reveals are the operations whose answers hold a whole key.
var reveals = regexp.MustCompile(
	`^POST (/portal/[0-9a-f-]{36})?/api/v2/(api-keys|api-keys/[^/]+/rotate|api-keys/import|service-keys)$`,
)

// secrecy: a whole key stands in the answers that reveal one and nowhere else, and those are not to be kept.
func secrecy(e exchange) []string {
	mayReveal := reveals.MatchString(e.request.Method+" "+e.request.URL.Path) && e.response.StatusCode < 300
	var wrong []string
	if wholeKeys(string(e.body)) != nil {
		if !mayReveal {
			wrong = append(wrong, "a whole key in an answer that reveals none")
		}
		if !strings.Contains(e.response.Header.Get("Cache-Control"), "no-store") {
			wrong = append(wrong, "a whole key in an answer that may be cached")
		}
	}
	for name, all := range e.response.Header {
		if wholeKeys(strings.Join(all, "\n")) != nil {
			wrong = append(wrong, "a whole key in the header "+name)
		}
	}
	return wrong
}

type envelope struct {
	Success *bool `json:"success"`
	Data    *struct {
		Message *string         `json:"message"`
		Result  json.RawMessage `json:"result"`
	} `json:"data"`
	Error *struct {
		Code      string            `json:"code"`
		Message   string            `json:"message"`
		Details   []json.RawMessage `json:"details"`
		RequestID string            `json:"requestId"`
	} `json:"error"`
}

// envelopeOf checks the form that answers of the API have, but for those of the OAuth standards, and of failures
// everywhere.
func envelopeOf(e exchange) (code string, wrong []string) {
	path, status := e.request.URL.Path, e.response.StatusCode
	media, _, _ := strings.Cut(e.response.Header.Get("Content-Type"), ";")
	oauth := strings.HasPrefix(path, "/api/v2/oauth2/")
	switch {
	case status < 300 &&
		(oauth || !strings.HasPrefix(path, "/api/v2/") || media == "text/csv" || media == "application/x-ndjson"):
		return "", nil
	case status == http.StatusSeeOther && !strings.HasPrefix(path, "/api/"):
		return "", nil
	case status == 400 && oauth && strings.Contains(string(e.body), `"error_description"`):
		return "invalid_request", nil
	case media != "application/json":
		return "", []string{fmt.Sprintf("status %d with Content-Type %q", status, media)}
	}
	var v envelope
	if err := json.Unmarshal(e.body, &v); err != nil {
		return "", []string{"the envelope: " + err.Error()}
	}
	if v.Success == nil || *v.Success != (status < 300) {
		wrong = append(wrong, "success does not go with the status")
	}
	if status < 300 {
		if v.Data == nil || v.Data.Message == nil || *v.Data.Message == "" || len(v.Data.Result) == 0 || v.Error != nil {
			wrong = append(wrong, "a success without data.message and data.result, or with an error")
		}
		return "", wrong
	}
	if v.Error == nil || v.Data != nil || v.Error.Message == "" || v.Error.Details == nil {
		return "", append(wrong, "a failure without error.message and error.details, or with data")
	}
	if id := e.response.Header.Get("X-Request-Id"); v.Error.RequestID != id {
		wrong = append(wrong, fmt.Sprintf("requestId %q with X-Request-Id %q", v.Error.RequestID, id))
	}
	if behind, err := strconv.Atoi(e.response.Header.Get("X-Keyward-Status")); err == nil && status == 403 {
		status = behind // the gateway's deny_status
	}
	if !slices.Contains(codes[status], v.Error.Code) {
		wrong = append(wrong, fmt.Sprintf("status %d with the code %q", status, v.Error.Code))
	}
	return v.Error.Code, wrong
}

func TestTheLawsFindWhatIsWrong(t *testing.T) {
	t.Parallel()
	key := "kw_live_" + strings.Repeat("A", 43) + "2ImIO6"
	failure := func(code string) string {
		return `{"success":false,"error":{"code":"` + code + `","message":"m","details":[],"requestId":"r"}}`
	}
	for name, test := range map[string]struct {
		status    int
		header    http.Header
		body      string
		complaint string
	}{
		"no request id": {200, http.Header{"X-Request-Id": nil},
			`{"success":true,"data":{"message":"m","result":{}}}`, "no X-Request-Id"},
		"another request id":      {404, http.Header{"X-Request-Id": {"other"}}, failure("not_found"), "requestId"},
		"401 without a challenge": {401, nil, failure("unauthenticated"), "WWW-Authenticate"},
		"405 without Allow":       {405, nil, failure("method_not_allowed"), "without Allow"},
		"a redirect":              {301, http.Header{"Location": {"/x"}}, ``, "redirect"},
		"a whole key": {200, nil, `{"success":true,"data":{"message":"m","result":{"key":"` + key + `"}}}`,
			"a whole key"},
		"a whole key in a header": {200, http.Header{"Etag": {key}},
			`{"success":true,"data":{"message":"m","result":{}}}`, "header Etag"},
		"a success that says failure": {200, nil, failure("not_found"), "success does not go"},
		"a failure that says success": {404, nil, `{"success":true,"data":{"message":"m","result":{}}}`,
			"success does not go"},
		"no result": {200, nil, `{"success":true,"data":{"message":"m"}}`, "without data.message"},
		"null for details": {404, nil, strings.Replace(failure("not_found"), "[]", "null", 1),
			"without error.message"},
		"a code of another status": {404, nil, failure("conflict"), `the code "conflict"`},
		"plain text":               {404, http.Header{"Content-Type": {"text/plain"}}, "404 page not found", "Content-Type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"X-Request-Id": {"r"}, "Content-Type": {"application/json"}}
			for k, v := range test.header {
				header[k] = v
			}
			request, err := http.NewRequest(http.MethodGet, "http://localhost/api/v2/api-keys", nil)
			if err != nil {
				t.Fatal(err)
			}
			_, wrong := laws(
				exchange{
					request: request, response: &http.Response{StatusCode: test.status, Header: header}, body: []byte(test.body),
				},
			)
			if !strings.Contains(strings.Join(wrong, "\n"), test.complaint) {
				t.Errorf("got %q, want a complaint with %q", wrong, test.complaint)
			}
		})
	}
}
