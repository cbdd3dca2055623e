package dataplane_test

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/dataplane"
)

const (
	line  = "POST /api/v2/api-keys/verify HTTP/1.1\r\n"
	usual = line +
		"Host: keyward.example:8080\r\nUser-Agent: curl/8\r\nAccept: */*\r\nAuthorization: Bearer kw_svc_x\r\nContent-Type: application/json\r\nX-Request-Id: r-1\r\nContent-Length: 11\r\n\r\n"
)

// usualCheck is a proxy's.
const usualCheck = "GET /check?permission=calls:read&deny_status=403 HTTP/1.1\r\nHost: keyward\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Uri: /v1/calls?a=%20b\r\n" +
	"X-Forwarded-For: 203.0.113.7\r\nUser-Agent: curl/8\r\nCookie: a=b; c=d\r\nX-API-Key: kw_live_x\r\nX-Request-Id: r-1\r\n\r\n"

// oddChecks must not be taken as plain either.
var oddChecks = map[string]string{
	"another method":        strings.Replace(usualCheck, "GET", "HEAD", 1),
	"a longer path":         strings.Replace(usualCheck, "/check?", "/check/?", 1),
	"another path":          strings.Replace(usualCheck, "/check?", "/checks?", 1),
	"an escaped path":       strings.Replace(usualCheck, "/check?", "/chec%6b?", 1),
	"an empty query":        strings.Replace(usualCheck, "?permission=calls:read&deny_status=403", "?", 1),
	"a fragment":            strings.Replace(usualCheck, "calls:read", "calls:read#x", 1),
	"a blank in the query":  strings.Replace(usualCheck, "calls:read", "calls read", 1),
	"HTTP/1.0":              strings.Replace(usualCheck, "HTTP/1.1", "HTTP/1.0", 1),
	"LF only":               strings.ReplaceAll(usualCheck, "\r\n", "\n"),
	"a line of LF":          strings.Replace(usualCheck, "HTTP/1.1\r\n", "HTTP/1.1\n", 1),
	"a body":                strings.Replace(usualCheck, "User-Agent: curl/8", "Content-Length: 5", 1),
	"a body of none":        strings.Replace(usualCheck, "User-Agent: curl/8", "Content-Length: 0", 1),
	"chunks":                strings.Replace(usualCheck, "User-Agent: curl/8", "Transfer-Encoding: chunked", 1),
	"Expect":                strings.Replace(usualCheck, "User-Agent: curl/8", "Expect: 100-continue", 1),
	"Upgrade":               strings.Replace(usualCheck, "User-Agent: curl/8", "Upgrade: websocket", 1),
	"Connection: close":     strings.Replace(usualCheck, "User-Agent: curl/8", "Connection: close", 1),
	"Connection and a name": strings.Replace(usualCheck, "User-Agent: curl/8", "Connection: X-Forwarded-Uri", 1),
	"an underscore":         strings.Replace(usualCheck, "User-Agent", "X_Forwarded_Uri", 1),
	"no host":               strings.Replace(usualCheck, "Host: keyward\r\n", "", 1),
	"two hosts":             strings.Replace(usualCheck, "User-Agent: curl/8", "Host: other", 1),
	"two ids":               strings.Replace(usualCheck, "User-Agent: curl/8", "X-Request-Id: r-2", 1),
	"a folded line":         strings.Replace(usualCheck, "curl/8\r\n", "curl/8\r\n x\r\n", 1),
	"a high byte":           strings.Replace(usualCheck, "curl", "c\xfcrl", 1),
	"a long line":           strings.Replace(usualCheck, "curl/8", strings.Repeat("c", 5000), 1),
	"an endless query":      "GET /check?" + strings.Repeat("a", 5000),
}

// oddHeads are heads that must not be taken as plain: heads that another reader might read in another way, heads that
// ask for more, and heads that are refused.
var oddHeads = map[string]string{
	"another method":           strings.Replace(usual, "POST", "GET", 1),
	"lower-case method":        strings.Replace(usual, "POST", "post", 1),
	"another path":             strings.Replace(usual, "verify", "verifz", 1),
	"a query":                  strings.Replace(usual, "verify ", "verify? ", 1),
	"an absolute target":       strings.Replace(usual, "/api", "http://h/api", 1),
	"HTTP/1.0":                 strings.Replace(usual, "HTTP/1.1", "HTTP/1.0", 1),
	"two blanks":               strings.Replace(usual, "POST ", "POST  ", 1),
	"a line before":            "\r\n" + usual,
	"LF only":                  strings.ReplaceAll(usual, "\r\n", "\n"),
	"one LF":                   strings.Replace(usual, "\r\nAccept", "\nAccept", 1),
	"CR alone":                 strings.Replace(usual, "\r\nAccept", "\rAccept", 1),
	"CR in a value":            strings.Replace(usual, "curl/8", "curl\r8", 1),
	"LF at the end":            strings.TrimSuffix(usual, "\r\n") + "\n",
	"a folded line":            strings.Replace(usual, "curl/8\r\n", "curl/8\r\n folded\r\n", 1),
	"a folded line with a tab": strings.Replace(usual, "curl/8\r\n", "curl/8\r\n\tfolded\r\n", 1),
	"a fold at first":          strings.Replace(usual, "Host:", " Host:", 1),
	"a blank before the colon": strings.Replace(usual, "Content-Length:", "Content-Length :", 1),
	"no colon":                 strings.Replace(usual, "Accept: */*", "Accept", 1),
	"no name":                  strings.Replace(usual, "Accept:", ":", 1),
	"an underscore":            strings.Replace(usual, "Content-Length", "Content_Length", 1),
	"NUL in a value":           strings.Replace(usual, "curl", "cu\x00rl", 1),
	"NUL in a name":            strings.Replace(usual, "Accept", "Acc\x00ept", 1),
	"a tab in a value":         strings.Replace(usual, "curl", "cu\trl", 1),
	"a high byte":              strings.Replace(usual, "curl", "cu\xe9rl", 1),
	"no host":                  strings.Replace(usual, "Host: keyward.example:8080\r\n", "", 1),
	"two hosts":                strings.Replace(usual, "User-Agent: curl/8", "host: other", 1),
	"an empty host":            strings.Replace(usual, "keyward.example:8080", "", 1),
	"a host with a path":       strings.Replace(usual, "keyward.example", "keyward.example/x", 1),
	"two lengths":              strings.Replace(usual, "Accept: */*", "Content-Length: 11", 1),
	"two lengths that differ":  strings.Replace(usual, "Accept: */*", "Content-Length: 12", 1),
	"a list of lengths":        strings.Replace(usual, "Length: 11", "Length: 11, 11", 1),
	"a signed length":          strings.Replace(usual, "Length: 11", "Length: +11", 1),
	"a negative length":        strings.Replace(usual, "Length: 11", "Length: -11", 1),
	"a length in hexadecimal":  strings.Replace(usual, "Length: 11", "Length: 0xb", 1),
	"a leading zero":           strings.Replace(usual, "Length: 11", "Length: 011", 1),
	"length 0":                 strings.Replace(usual, "Length: 11", "Length: 0", 1),
	"no length":                strings.Replace(usual, "Content-Length: 11\r\n", "", 1),
	"a length over 1 MiB":      strings.Replace(usual, "Length: 11", "Length: 1048577", 1),
	"a length beyond numbers":  strings.Replace(usual, "Length: 11", "Length: 18446744073709551627", 1),
	"CL and TE":                strings.Replace(usual, "Accept: */*", "Transfer-Encoding: chunked", 1),
	"TE in other letters":      strings.Replace(usual, "Accept: */*", "tRANSFER-eNCODING: chunked", 1),
	"TE of its own kind":       strings.Replace(usual, "Accept: */*", "Transfer-Encoding: xchunked", 1),
	"TE alone":                 strings.Replace(usual, "Content-Length: 11", "Transfer-Encoding: chunked", 1),
	"trailers":                 strings.Replace(usual, "Accept: */*", "TE: trailers", 1),
	"a trailer":                strings.Replace(usual, "Accept: */*", "Trailer: X", 1),
	"Expect":                   strings.Replace(usual, "Accept: */*", "Expect: 100-continue", 1),
	"Upgrade":                  strings.Replace(usual, "Accept: */*", "Upgrade: h2c", 1),
	"Connection: close":        strings.Replace(usual, "Accept: */*", "Connection: close", 1),
	"Connection with a name":   strings.Replace(usual, "Accept: */*", "Connection: keep-alive, Authorization", 1),
	"two credentials":          strings.Replace(usual, "Accept: */*", "Authorization: Bearer kw_svc_x", 1),
	"another credential":       strings.Replace(usual, "Accept: */*", "X-API-Key: x", 1),
	"no credential":            strings.Replace(usual, "Authorization: Bearer kw_svc_x\r\n", "", 1),
	"another scheme":           strings.Replace(usual, "Bearer", "Basic", 1),
	"no token":                 strings.Replace(usual, "Bearer kw_svc_x", "Bearer", 1),
	"a packed body":            strings.Replace(usual, "Accept: */*", "Content-Encoding: gzip", 1),
	"another media type":       strings.Replace(usual, "application/json", "text/plain", 1),
	"no media type":            strings.Replace(usual, "Content-Type: application/json\r\n", "", 1),
	"two ids":                  strings.Replace(usual, "Accept: */*", "X-Request-Id: r-1", 1),
	"an empty id":              strings.Replace(usual, "Id: r-1", "Id: ", 1),
	"many lines":               strings.Replace(usual, "Accept: */*\r\n", strings.Repeat("A: b\r\n", 70), 1),
	"a long line":              strings.Replace(usual, "curl/8", strings.Repeat("c", 5000), 1),
	"no end at all":            line + strings.Repeat("A: b\r\n", 1000),
	"TLS":                      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	"HTTP/2":                   "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}

func TestWhatIsNotPlainToTheLetterIsLeftToNetHTTP(t *testing.T) {
	t.Parallel()
	all := maps.Clone(oddHeads)
	for about, text := range oddChecks {
		all["a check: "+about] = text
	}
	for about, text := range all {
		if whole, odd, _ := dataplane.Read([]byte(text)); whole || !odd {
			t.Errorf("%s: whole %v, odd %v", about, whole, odd)
		}
	}
}

func TestAPlainHeadIsReadWhateverItsCaseAndOrder(t *testing.T) {
	t.Parallel()
	for _, text := range []string{usual, usualCheck, strings.Replace(
		usualCheck, "?permission=calls:read&deny_status=403", "", 1,
	), strings.Replace(usual, "verify ", "verify-batch ", 1), strings.ReplaceAll(usual, ": ",
		":"), strings.ReplaceAll(usual, ": ", ":   "),
		strings.NewReplacer("Host", "hOST", "Content-Length", "content-length", "Authorization",
			"AUTHORIZATION").Replace(usual),
		strings.Replace(usual, "Accept: */*",
			"Connection: Keep-Alive\r\nX-Forwarded-For: 10.0.0.1\r\nTraceparent: 00-ab-cd-01", 1)} {
		for n := range text {
			if whole, odd, _ := dataplane.Read([]byte(text[:n])); whole || odd {
				t.Fatalf("%q of %q: whole %v, odd %v", text[:n], text, whole, odd)
			}
		}
		reads(t, []byte(text+"and a body!and more"))
	}
}

// reads holds that net/http reads a head that is taken as plain in the same way; it reports whether the head was
// taken.
func reads(t *testing.T, b []byte) bool {
	t.Helper()
	whole, _, head := dataplane.Read(b)
	if !whole {
		return false
	}
	rest := bufio.NewReader(bytes.NewReader(append(bytes.Clone(b), make([]byte, head.Body)...)))
	r, err := http.ReadRequest(rest)
	if err != nil {
		t.Fatalf("%q: net/http refuses it: %v", b, err)
	}
	if head.Check {
		readsCheck(t, b, &head, r)
		return true
	}
	path := "/api/v2/api-keys/verify"
	if head.Batch {
		path += "-batch"
	}
	got, err := io.ReadAll(r.Body)
	if err != nil || len(got) != head.Body || r.ContentLength != int64(head.Body) || len(r.TransferEncoding) > 0 ||
		r.Close ||
		r.Method != "POST" || r.RequestURI != path || r.Header.Get("Authorization") != "Bearer "+head.Token ||
		r.Header.Get("X-Request-Id") != head.RequestID || r.Host == "" ||
		len(r.Header["Authorization"]) != 1 || len(r.Header["X-Api-Key"]) != 0 || len(r.Header["Content-Encoding"]) != 0 ||
		len(r.Header["Content-Type"]) != 1 {
		t.Fatalf("%q: net/http reads %+v (%v) and a body of %d, want %d", b, r, err, len(got), head.Body)
	}
	if size := head.Size; len(b) >= size+head.Body && !bytes.Equal(got, b[size:size+head.Body]) {
		t.Fatalf("%q: net/http reads the body %q", b, got)
	}
	return true
}

// readsCheck holds the same of a check: net/http finds the same path and query, no body, and the same fields.
func readsCheck(t *testing.T, b []byte, head *dataplane.Head, r *http.Request) {
	t.Helper()
	if r.Method != "GET" || r.URL.EscapedPath() != "/check" || r.URL.RawQuery != head.Query || r.URL.ForceQuery ||
		r.ContentLength != 0 || len(r.TransferEncoding) > 0 ||
		r.Close || r.Host == "" ||
		r.Header.Get("X-Request-Id") != head.RequestID {
		t.Fatalf("%q: net/http reads %+v", b, r)
	}
	read := http.Header{}
	for _, f := range head.Fields {
		read.Add(f[0], f[1])
	}
	r.Header.Del("Connection")
	r.Header.Del("X-Request-Id")
	if diff := cmp.Diff(r.Header, read); diff != "" {
		t.Fatalf("%q: net/http reads other fields: %s", b, diff)
	}
}

// Every byte of a usual head is replaced, left out and doubled in turn.
func TestAHeadWithOneByteChangedIsReadAsNetHTTPReadsIt(t *testing.T) {
	t.Parallel()
	for i := range usual {
		for _, c := range []string{"", usual[i:i+1] + usual[i:i+1], "\x00", " ", "\t", "\r", "\n", "\r\n", ":", ";", ",", "_",
			"0", "1", "9", "a", "A", "\x7f", "\x80"} {
			reads(t, []byte(usual[:i]+c+usual[i+1:]+"0123456789ab"))
		}
	}
	for i := range usualCheck {
		for _, c := range []string{"", usualCheck[i:i+1] + usualCheck[i:i+1], "\x00", " ", "\t", "\r", "\n", "\r\n", ":", ";",
			"#", "%", "?", "/", "_", "0", "a", "A", "\x7f", "\x80"} {
			reads(t, []byte(usualCheck[:i]+c+usualCheck[i+1:]+usualCheck))
		}
	}
}

func FuzzAPlainHeadIsWhatNetHTTPReads(f *testing.F) {
	f.Add([]byte(usual + `{"key":"x"}`))
	f.Add([]byte(usualCheck))
	for _, text := range oddHeads {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) { reads(t, b) })
}
