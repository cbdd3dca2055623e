// Package portal owns the element <keyward-keys> and the hosted page of portal sessions around it: their scripts, style
// and words, and the document that the session's origins may frame. It does not own the operations that they call
// (httpapi, control).
package portal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
)

// Sessions tells which pages may frame a portal session.
type Sessions interface {
	LookAtPortal(ctx context.Context, portal id.Portal) (control.PortalPage, error)
}

// Config holds the parts of the page.
type Config struct {
	Sessions Sessions
	Logger   *slog.Logger
}

//go:embed assets
var files embed.FS

// Handler answers for the page and its parts.
type Handler struct {
	Config
	element  Module
	packed   func() []byte // the element, compressed
	former   fs.FS         // the elements of former releases
	document []byte        // of every portal session, also of one that there is not: the script finds out
	version  string        // of all parts: it stands in their addresses
}

// New makes the page.
func New(c Config) (*Handler, error) {
	element, err := Element()
	if err != nil {
		return nil, err
	}
	h := &Handler{Config: c, element: element, packed: sync.OnceValue(func() []byte { return pack(element.Content) })}
	if h.former, err = fs.Sub(former, "former"); err != nil {
		return nil, err
	}
	sum := sha256.New()
	err = fs.WalkDir(files, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		sum.Write(content)
		return err
	})
	if err != nil {
		return nil, err
	}
	h.version = hex.EncodeToString(sum.Sum(nil)[:8])
	document, err := files.ReadFile("assets/page.html")
	if err != nil {
		return nil, err
	}
	h.document = bytes.ReplaceAll(document, []byte("{{.At}}"), []byte(partsPath+h.version))
	return h, nil
}

const partsPath = "/portal/parts/"

// sessionPart is the part of the element that the hosted page needs before the element.
const sessionPart = "session.js"

// Routes adds the page and its parts.
func (h *Handler) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /portal/{portalSessionId}", h.page)
	mux.HandleFunc("GET "+partsPath+"{version}/{name}", h.part)
	mux.HandleFunc("GET /portal/words/{name}", words)
	mux.HandleFunc("GET "+elementPath, h.unpinned)
}

// policy is the page's own (CSP Level 3): nothing from elsewhere, and no script or style in the document.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; frame-ancestors "

// page answers with the same document for every session. The origins of one that goes on may frame it.
func (h *Handler) page(w http.ResponseWriter, r *http.Request) {
	if hash, ok := pinned(r.PathValue("portalSessionId")); ok {
		h.pinned(w, r, hash)
		return
	}
	frames := "'none'"
	if portal := id.Canonical(r.PathValue("portalSessionId")); isID(portal) {
		seen, err := h.Sessions.LookAtPortal(r.Context(), id.Portal(portal))
		switch {
		case err != nil: // the page says so itself, once its first call fails
			h.Logger.Warn("the origins of a portal session could not be read", "error", err.Error())
		case seen.Live && len(seen.Origins) > 0:
			frames = strings.Join(seen.Origins, " ")
		}
	}
	head := w.Header()
	head.Set("Content-Security-Policy", policy+frames)
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "cross-origin") // a page with COEP frames it; the policy above says which
	head.Set("Cross-Origin-Embedder-Policy", "require-corp")
	head.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	send(w, "text/html; charset=utf-8", h.document)
}

func isID(s string) bool {
	_, ok := id.Parse(s)
	return ok
}

// part answers with a script or a style. Its address changes with every release, so it is kept for ever.
func (h *Handler) part(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if name == "keyward.js" && r.PathValue("version") == h.version {
		h.shareElement(w, r, forEver)
		return
	}
	file := "assets/" + name
	if name == sessionPart {
		file = "assets/element/" + name
	}
	content, err := files.ReadFile(file)
	kind := map[string]string{".js": script, ".css": "text/css; charset=utf-8"}[path.Ext(name)]
	if err != nil || kind == "" || r.PathValue("version") != h.version {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", forEver)
	send(w, kind, content)
}

func send(w http.ResponseWriter, kind string, content []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write(content)
}
