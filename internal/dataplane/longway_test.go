package dataplane_test

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/server"
)

// pair is two servers with the same root key and the same API key: one answers on the shortest way that there is, the
// other has net/http read everything and answers nothing before its time.
type pair struct {
	*house        // the quick one
	long   *house // whose listeners are the measure
	dial   func(t testing.TB, addr string) rawConn
}

// rawConn is a connection of which the client's side can be ended alone.
type rawConn interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
	CloseWrite() error
}

func openPair(t testing.TB, overTLS bool) *pair {
	t.Helper()
	var certificate, key string
	tlsConfig := &tls.Config{NextProtos: []string{"http/1.1"}}
	if overTLS {
		certificate, key, tlsConfig.RootCAs = rig.Certificate(t)
	}
	cfg := config.Default()
	format, err := cfg.Format()
	must(t, err)
	secret, err := format.Mint(rand.Reader, keyfmt.Service)
	must(t, err)
	value, err := format.Mint(rand.Reader, keyfmt.Live)
	must(t, err)
	with := func(long bool) *house {
		h := start(t, server.Options{LongWay: long}, func(c *config.Config) {
			c.RootKey, c.BadCredentials = secret, 0
			c.TLSCert, c.TLSKey = certificate, key
		})
		h.client = &http.Client{Transport: &http.Transport{TLSClientConfig: tlsConfig.Clone(), DisableKeepAlives: true}}
		h.value = value.Reveal()
		ws := h.post(
			"/api/v2/workspaces", `{"name":"Acme","owner":{"userId":"u-1","email":"u@example.com"}}`, "workspace", "id",
		)
		sum := sha256.Sum256([]byte(h.value))
		h.imports(ws, hex.EncodeToString(sum[:]))
		return h
	}
	p := &pair{house: with(false), long: with(true)}
	p.dial = func(t testing.TB, addr string) rawConn {
		if !overTLS {
			return dialTCP(t, addr)
		}
		c, err := tls.Dial("tcp", addr, tlsConfig)
		must(t, err)
		return c
	}
	return p
}

// say sends bytes, in parts, and reads all that comes back.
func (p *pair) say(t testing.TB, addr string, parts ...string) string {
	t.Helper()
	c := p.dial(t, addr)
	defer c.Close()
	return exchange(t, c, parts)
}

// comparably is masked, but for where in the head the end of the connection is told: net/http tells its own decision
// last.
func comparably(s string) string {
	const closes = "Connection: close\r\n"
	return fmt.Sprintf("%s[ends: %d]", strings.ReplaceAll(masked(s), closes, ""), strings.Count(s, closes))
}

// same holds what the listeners of the quick server answer against what net/http answers on the long way. A connection
// that a server ends with bytes of the client unread may lose its last answer on the way: what differs is asked again.
func (p *pair) same(t testing.TB, parts ...string) {
	t.Helper()
	var diff string
	for range 3 {
		want := comparably(p.say(t, p.long.main, parts...))
		if strings.Contains(want, "smuggled") {
			t.Error("a request within a body was answered")
		}
		diff = cmp.Diff(want, comparably(p.say(t, p.main, parts...)))
		if diff == "" { // which has fewer paths
			diff = cmp.Diff(comparably(p.say(t, p.long.data, parts...)), comparably(p.say(t, p.data, parts...)))
		}
		if diff == "" {
			return
		}
	}
	t.Errorf("the long way and a short one differ, asked %q: %s", parts, diff)
}

// ended adds a request that ends the connection, unless the bytes are to end in the midst of one.
func ended(about string, parts []string) []string {
	if strings.Contains(about, "cut off") || about == "nothing" || strings.Contains(about, "and no more") {
		return parts
	}
	return append(parts[:len(parts)-1:len(parts)-1], parts[len(parts)-1]+last)
}

func TestT52T53T54TheShortWaysAnswerWithTheBytesOfTheLongOne(t *testing.T) {
	t.Parallel()
	for name, overTLS := range map[string]bool{"in plain words": false, "over TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := openPair(t, overTLS)
			for about, parts := range p.corpus() {
				t.Run(about, func(t *testing.T) {
					t.Parallel()
					p.same(t, ended(about, parts)...)
				})
			}
		})
	}
}

// headers are what clients and proxies send, as far as they are registered or usual, and some of nobody.
var headers = strings.Fields(
	`A-IM Accept Accept-Charset Accept-Datetime Accept-Encoding Accept-Language Access-Control-Request-Headers
	Access-Control-Request-Method Age Alt-Used Authorization Baggage Cache-Control CDN-Loop CF-Connecting-IP Connection Content-Digest
	Content-Disposition Content-Encoding Content-Language Content-Length Content-Location Content-MD5 Content-Range Content-Type Cookie Date
	Depth Destination DNT DPoP Early-Data ETag Expect Expires Forwarded From Front-End-Https Host HTTP2-Settings Idempotency-Key If If-Match
	If-Modified-Since If-None-Match If-Range If-Unmodified-Since Keep-Alive Last-Modified Link Max-Forwards Origin Pragma Prefer Priority
	Proxy-Authorization Proxy-Connection Range Referer Save-Data Sec-CH-UA Sec-Fetch-Mode Sec-Fetch-Site Sec-GPC Sec-WebSocket-Key TE Trailer
	Traceparent Tracestate Transfer-Encoding Upgrade Upgrade-Insecure-Requests User-Agent Via Want-Digest Warning X-API-Key X-B3-TraceId
	X-Correlation-ID X-Forwarded-For X-Forwarded-Host X-Forwarded-Method X-Forwarded-Proto X-Forwarded-Uri X-HTTP-Method-Override
	X-Original-Method X-Original-URI X-Real-IP X-Request-Id X-Requested-With X-Keyward-Key-Id X_Forwarded_Uri`,
)

func TestEveryUsualHeaderIsReadAsOnTheLongWay(t *testing.T) {
	t.Parallel()
	if len(headers) < 80 {
		t.Fatalf("only %d headers", len(headers))
	}
	p := openPair(t, false)
	body := `{"key":"` + p.value + `"}`
	queue := make(chan string)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for name := range queue {
				for _, value := range []string{"x", "", "0", "close", "chunked", "100-continue", "application/json", "trailers, x",
					"203.0.113.7", "GET",
					"/v1/calls?a=b", "\tx ", "a, b", p.value, "Bearer " + p.value, "Bearer " + p.root} {
					p.same(t, p.verify(one, body, name+": "+value)+last)
					p.same(
						t,
						"GET /check?permission=calls:read HTTP/1.1\r\nHost: h\r\nX-API-Key: "+p.value+"\r\n"+name+": "+value+"\r\n\r\n"+last,
					)
				}
			}
		})
	}
	for _, name := range headers {
		queue <- name
	}
	close(queue)
	workers.Wait()
}

// edits change a few bytes of what is sent, with a taste for what framing is made of.
func edits(r *mathrand.Rand, text string, corpus []string) string {
	pieces := []string{
		"\r\n", "\n", "\r", " ", "\t", ":", "0", "\x00", "\xff", ",", "{", "\"", "Content-Length: 5\r\n",
		"Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Host: h\r\n", "GET /check HTTP/1.1\r\nHost: h\r\n\r\n",
	}
	for range 1 + r.IntN(3) {
		at := r.IntN(len(text) + 1)
		switch r.IntN(4) {
		case 0:
			text = text[:at] + pieces[r.IntN(len(pieces))] + text[at:]
		case 1:
			text = text[:at] + text[min(len(text), at+1+r.IntN(3)):]
		case 2:
			if at < len(text) {
				text = text[:at] + string([]byte{byte(r.IntN(256))}) + text[at+1:]
			}
		case 3:
			other := corpus[r.IntN(len(corpus))]
			text = text[:at] + other[r.IntN(len(other)+1):]
		}
	}
	return text
}

// Bytes that nobody sends on purpose: those of the corpus with a few of them changed. The seed is in what fails.
func TestChangedBytesAreReadAsOnTheLongWay(t *testing.T) {
	t.Parallel()
	p := openPair(t, false)
	texts := p.texts()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var workers sync.WaitGroup
	for w := range uint64(6) {
		workers.Go(func() {
			r := mathrand.New(mathrand.NewPCG(seed, w))
			for range 100 {
				p.same(t, edits(r, texts[r.IntN(len(texts))], texts)+last)
			}
		})
	}
	workers.Wait()
}

// texts are those of the corpus that are short, in one piece.
func (p *pair) texts() (all []string) {
	for _, parts := range p.corpus() {
		if text := strings.Join(parts, ""); len(text) < 4<<10 && len(text) > 0 {
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return all
}

func FuzzTheShortWaysAnswerWithTheBytesOfTheLongOne(f *testing.F) {
	p := openPair(f, false)
	for _, text := range []string{p.verify(one, `{"key":"x"}`),
		p.verify(one, `{"key":"x"}`) + "\r\n" + p.verify(one, `{"key":"x"}`)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 8<<10 {
			p.same(t, text+last)
		}
	})
}

// HTTP/2 has no bytes in common with HTTP/1.1; its answers are the same but for what the protocol itself says.
func TestOverHTTP2TheAnswersAreThoseOfTheLongWay(t *testing.T) {
	t.Parallel()
	p := openPair(t, true)
	client := func() *http.Client {
		protocols := &http.Protocols{}
		protocols.SetHTTP2(true)
		transport := p.client.Transport.(*http.Transport).Clone()
		transport.Protocols, transport.DisableKeepAlives, transport.DisableCompression = protocols, false, true
		transport.TLSClientConfig.NextProtos = []string{"h2"}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	quick, long := client(), client()
	asked := 0
	for about, parts := range p.corpus() {
		q, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.Join(parts, ""))))
		if err != nil || q.URL.Host != "" || !strings.HasPrefix(q.URL.Path, "/") || len(q.TransferEncoding) > 0 ||
			q.Header.Get("Upgrade") != "" {
			continue
		}
		body, err := io.ReadAll(q.Body)
		if err != nil {
			continue
		}
		asked++
		answer := func(c *http.Client, addr string) string {
			r, err := http.NewRequest(q.Method, "https://"+addr+q.URL.RequestURI(), strings.NewReader(string(body)))
			must(t, err)
			r.Header = q.Header.Clone()
			r.Header.Del("Connection")
			a, err := c.Do(r)
			if err != nil {
				return "an error"
			}
			defer a.Body.Close()
			text, err := io.ReadAll(a.Body)
			var head strings.Builder
			_ = a.Header.Write(&head)
			return masked(fmt.Sprint(a.Proto, " ", a.Status, "\r\n", head.String(), "\r\n", string(text), err))
		}
		if diff := cmp.Diff(answer(long, p.long.main), answer(quick, p.main)); diff != "" {
			t.Errorf("%s: %s", about, diff)
		}
	}
	if asked < 40 {
		t.Errorf("only %d requests of the corpus were asked over HTTP/2", asked)
	}
}
