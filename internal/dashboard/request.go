package dashboard

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// request is one request by a signed-in visitor.
type request struct {
	d   *Dashboard
	w   http.ResponseWriter
	r   *http.Request
	now time.Time

	Visitor
	may control.Authority

	known map[string]person // actors that the page has looked up

	turn func() // ends the turn at reading; does nothing where the request has none
}

const maxForm = 256 << 10

// enter identifies the visitor. A visitor who is not signed in is sent to do so, and comes back.
func (v *request) enter(rt route) error {
	var ok bool
	var err error
	if v.Visitor, ok, err = v.d.Gate.Visitor(v.r); err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.Unauthenticated, "sign in to see this page")
	}
	if v.Caller.RequestID == "" {
		v.Caller.RequestID = v.w.Header().Get("X-Request-Id")
	}
	if err := v.takeTurn(); err != nil {
		return err
	}
	if v.may, err = v.d.authority(v.r.Context(), v.Visitor); err != nil {
		return err
	}
	if v.r.Method == http.MethodPost {
		v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
		if err := v.r.ParseForm(); err != nil {
			return fault.Invalid("form", "cannot be read, or is too long")
		}
	}
	if rt.place && v.may.Workspace.ID == "" {
		return errNoPlace
	}
	return nil
}

// takeTurn waits for the turn at reading of a page that changes nothing. The turn ends before the page is sent, so
// that a slow browser holds none.
func (v *request) takeTurn() error {
	if v.r.Method == http.MethodPost {
		return nil
	}
	ctx, leave, err := v.d.Control.InReadTurn(v.r.Context(), v.Caller.Tenant(v.Workspace))
	if err != nil {
		return err
	}
	v.r = v.r.WithContext(ctx)
	v.w = beforeSending{v.w, leave}
	v.turn = leave
	return nil
}

// beforeSending ends a turn before anything of an answer is sent.
type beforeSending struct {
	http.ResponseWriter
	end func()
}

// WriteHeader ends the turn.
func (w beforeSending) WriteHeader(status int) {
	w.end()
	w.ResponseWriter.WriteHeader(status)
}

// Write ends the turn.
func (w beforeSending) Write(b []byte) (int, error) {
	w.end()
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w beforeSending) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// errNoPlace sends an operator who has chosen no workspace to the choice of one.
var errNoPlace = fault.New(fault.NotFound, "choose a workspace first")

func (v *request) workspace() string { return string(v.may.Workspace.ID) }

// form is a field of a form that was sent, without blanks at its ends.
func (v *request) form(name string) string { return strings.TrimSpace(v.r.PostForm.Get(name)) }

// query is a parameter of the URL.
func (v *request) query(name string) string { return strings.TrimSpace(v.r.URL.Query().Get(name)) }

// link is the page's own URL with some parameters set to others; "" takes one out. The cursor goes unless it is set.
func (v *request) link(pairs ...string) string {
	q := v.r.URL.Query()
	q.Del("cursor")
	for i := 0; i+1 < len(pairs); i += 2 {
		if q.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	u := url.URL{Path: v.r.URL.Path, RawQuery: q.Encode()}
	return u.String()
}

// see sends the browser on to another page.
func (v *request) see(path string) error {
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// show answers with a page.
func (v *request) show(p page) error { return v.answer(http.StatusOK, p) }

func (v *request) answer(status int, p page) error {
	p.request = v
	p.Said = v.told()
	return v.d.write(v.w, status, p)
}

// write makes the whole page before anything of it is sent.
func (d *Dashboard) write(w http.ResponseWriter, status int, p page) error {
	var b bytes.Buffer
	if err := p.document().Render(context.Background(), &b); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
	return nil
}
