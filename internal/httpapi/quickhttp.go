package httpapi

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/keyward/keyward/internal/fastpath"
	"github.com/keyward/keyward/internal/gateway"
)

// quickBody bounds the body of a single question on the quick way; a batch is read up to maxBody.
const quickBody = 8 << 10

// quickly answers the requests of the data plane that hold nothing unusual. Where it answers false the request is as it
// was.
func (a *api) quickly(w http.ResponseWriter, r *http.Request) bool {
	p := fastpath.Request{Batch: r.RequestURI == fastpath.VerifyBatchPath}
	most := int64(quickBody)
	if p.Batch {
		most = maxBody
	}
	if !p.Batch && r.RequestURI != fastpath.VerifyPath || r.Method != http.MethodPost || r.ContentLength < 1 ||
		r.ContentLength > most ||
		!heads(&p, r.Header) {
		return false
	}
	d := a.desks.Get().(*scratch)
	defer a.desks.Put(d)
	p.Client = a.client(r)
	if r.ContentLength > quickBody &&
		!a.mayVerify(d, &p, a.Engine.Look()) { // nothing large is read for a credential that is none
		return false
	}
	if int64(cap(d.body)) < r.ContentLength {
		d.body = make([]byte, max(r.ContentLength, 512))
	}
	n, err := io.ReadFull(r.Body, d.body[:r.ContentLength])
	p.Body = d.body[:n]
	reply := fastpath.Reply{Body: d.out[:0]}
	if err != nil || !a.quick(d, &p, &reply) {
		rest := io.Reader(r.Body)
		if err != nil { // the body says it once
			rest = broken{err}
			if !a.mayVerify(
				d, &p, a.Engine.Look(),
			) { // a refusal that reads no body ends the connection where that has broken off
				w.Header().Set("Connection", "close")
			}
		}
		r.Body = again{io.MultiReader(bytes.NewReader(bytes.Clone(p.Body)), rest), r.Body}
		return false
	}
	if cap(reply.Body) <= maxBody { // what a large batch needed is not kept
		d.out = reply.Body
	}
	h := w.Header()
	a.setCommon(h, reply.RequestID)
	h["Content-Type"], h["Content-Length"] = jsonTypes, []string{strconv.Itoa(len(reply.Body))}
	if reply.RetryAfter != "" {
		h.Set("Retry-After", reply.RetryAfter)
	}
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body) // an error of the connection has nobody left to be told to
	return true
}

// quicklyCheck answers a proxy's check that holds nothing unusual. Where it answers false nothing was done.
func (a *api) quicklyCheck(w http.ResponseWriter, r *http.Request) bool {
	ids := r.Header["X-Request-Id"]
	if r.RequestURI != fastpath.CheckPath && !strings.HasPrefix(r.RequestURI, fastpath.CheckPath+"?") ||
		r.Method != http.MethodGet ||
		r.ContentLength != 0 ||
		len(ids) > 1 {
		return false
	}
	d := a.desks.Get().(*scratch)
	defer a.desks.Put(d)
	p := &d.check
	p.Asked.Reset()
	p.Asked.Query, p.RequestID, p.Peer, p.Client = r.URL.RawQuery, strings.Join(ids, ""), gateway.Address(r.RemoteAddr),
		a.client(
			r,
		)
	for name, lines := range r.Header {
		for _, line := range lines {
			p.Asked.Header(name, line)
		}
	}
	reply := &d.checked
	if !a.quickCheck(d, p, reply) {
		return false
	}
	h := w.Header()
	h["Cache-Control"] = noStore
	if a.Stopping() {
		h["Connection"] = lastOne
	}
	values := make([]string, 0, 1+len(reply.Headers))
	set := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	for _, one := range reply.Headers {
		set(one.Name, one.Value)
	}
	set("Content-Length", strconv.Itoa(len(reply.Body)))
	if len(reply.Body) > 0 {
		h["Content-Type"] = jsonTypes
	}
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body) // as above
	return true
}

var jsonTypes = []string{jsonType}

// broken is a body that cannot be read on.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// again is a body of which a part was read, from its beginning.
type again struct {
	io.Reader
	io.Closer
}

// heads reads the fields that the quick way needs of the header, and returns false if any field would change the
// answer.
func heads(p *fastpath.Request, h http.Header) bool {
	given, media := h["Authorization"], h["Content-Type"]
	if len(given) != 1 || len(media) != 1 || media[0] != "application/json" && media[0] != jsonType ||
		h["X-Api-Key"] != nil ||
		h["Content-Encoding"] != nil {
		return false
	}
	if h["Expect"] != nil { // the body is asked for where somebody reads it, and that is after the credential
		return false
	}
	token, ok := strings.CutPrefix(given[0], "Bearer ")
	if p.Token = token; !ok || token == "" || token[0] == ' ' {
		return false
	}
	if ids := h["X-Request-Id"]; len(ids) > 0 {
		if len(ids) > 1 || ids[0] == "" {
			return false
		}
		p.RequestID = ids[0]
	}
	return true
}
