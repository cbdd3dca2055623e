package portal

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// elementPath is the address of the element of this release. The address of one with a hash never changes its content.
const elementPath = "/portal/keyward.js"

const script = "text/javascript; charset=utf-8"

const (
	forEver   = "public, max-age=31536000, immutable"
	forAWhile = "public, max-age=300"
)

// pinned takes the hash out of the name of an element: keyward-<hash>.js.
func pinned(name string) (hash string, ok bool) {
	rest, ok := strings.CutPrefix(name, "keyward-")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, ".js")
}

// unpinned answers with the element of this release.
func (h *Handler) unpinned(w http.ResponseWriter, r *http.Request) {
	h.shareElement(w, r, forAWhile)
}

// shareElement answers with the element of this release, compressed where the browser takes that.
func (h *Handler) shareElement(w http.ResponseWriter, r *http.Request, keep string) {
	content, tag := h.element.Content, h.element.Hash
	w.Header().Add("Vary", "Accept-Encoding")
	if takesGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		content, tag = h.packed(), tag+"-gzip"
	}
	share(w, r, keep, script, content, tag)
}

// takesGzip tells whether an answer may be compressed (RFC 9110, section 12.5.3).
func takesGzip(r *http.Request) bool {
	for _, given := range r.Header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(given, ",") {
			name, weight, _ := strings.Cut(coding, ";")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") {
				return !zeroWeight.MatchString(weight)
			}
		}
	}
	return false
}

var zeroWeight = regexp.MustCompile(`^\s*q=0(\.0*)?\s*$`)

// pack compresses a file that is served often.
func pack(content []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is right
	_, _ = w.Write(content)                                 // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// pinned answers with the element that has the hash: of this release, or of a former one.
func (h *Handler) pinned(w http.ResponseWriter, r *http.Request, hash string) {
	if hash == h.element.Hash {
		h.shareElement(w, r, forEver)
		return
	}
	content, err := fs.ReadFile(h.former, "keyward-"+hash+".js")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	share(w, r, forEver, script, content, hash)
}

// words answers with the words of a language. Their address has no version: an element of another release takes the
// words that it knows, and speaks English for the others.
func words(w http.ResponseWriter, r *http.Request) {
	content, err := files.ReadFile("assets/words/" + r.PathValue("name"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	share(w, r, forAWhile, "application/json; charset=utf-8", content, moduleOf(content).Hash)
}

// share answers pages of every origin: a module of another origin is loaded by CORS alone. The files are public and the
// same for all.
func share(w http.ResponseWriter, r *http.Request, keep, kind string, content []byte, tag string) {
	head := w.Header()
	head.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" {
		head.Set("Access-Control-Allow-Origin", origin)
	}
	head.Set("Cross-Origin-Resource-Policy", "cross-origin")
	head.Set("Cache-Control", keep)
	head.Set("Content-Type", kind)
	head.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
