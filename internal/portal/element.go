package portal

import (
	"bytes"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

// elementPath is the address of the element of this release. The address of one with a hash never changes its content.
const elementPath = "/portal/keyward.js"

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
	share(w, r, forAWhile, "text/javascript; charset=utf-8", h.element.Content)
}

// pinned answers with the element that has the hash: of this release, or of a former one.
func (h *Handler) pinned(w http.ResponseWriter, r *http.Request, hash string) {
	content := h.element.Content
	if hash != h.element.Hash {
		var err error
		if content, err = fs.ReadFile(h.former, "keyward-"+hash+".js"); err != nil {
			http.NotFound(w, r)
			return
		}
	}
	share(w, r, forEver, "text/javascript; charset=utf-8", content)
}

// words answers with the words of a language. Their address has no version: an element of another release takes the words
// that it knows, and speaks English for the others.
func words(w http.ResponseWriter, r *http.Request) {
	content, err := files.ReadFile("assets/words/" + r.PathValue("name"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	share(w, r, forAWhile, "application/json; charset=utf-8", content)
}

// share answers pages of every origin: a module of another origin is loaded by CORS alone. The files are public and the
// same for all.
func share(w http.ResponseWriter, r *http.Request, keep, kind string, content []byte) {
	head := w.Header()
	head.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" {
		head.Set("Access-Control-Allow-Origin", origin)
	}
	head.Set("Cross-Origin-Resource-Policy", "cross-origin")
	head.Set("Cache-Control", keep)
	head.Set("Content-Type", kind)
	head.Set("ETag", `"`+moduleOf(content).Hash+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
