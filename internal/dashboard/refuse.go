package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/signin"
)

// refuse answers with a page that gives the reason, and the remedy.
func (v *request) refuse(err error) {
	switch {
	case errors.Is(err, errNoPlace):
		_ = v.see(v.home())
	case fault.Is(err, fault.Unauthenticated) && v.r.Method == http.MethodGet:
		_ = v.see("/signin?return=" + url.QueryEscape(signin.LocalPath(v.r.URL.RequestURI())))
	default:
		v.d.refusal(v.w, v.r, v, err)
	}
}

// home is where a visitor without a workspace goes: an operator to the installation, others to the choice of one.
func (v *request) home() string {
	if v.may.Installation {
		return "/installation"
	}
	return "/workspaces"
}

// Refuse shows a person why a request was refused.
func (d *Dashboard) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	protect(w.Header())
	d.refusal(w, r, d.visitorOf(w, r), err)
}

// visitorOf identifies the visitor of a page that there is not, so that it keeps their navigation; nil for nobody.
func (d *Dashboard) visitorOf(w http.ResponseWriter, r *http.Request) *request {
	v := &request{d: d, w: w, r: r, now: d.Now()}
	var ok bool
	var err error
	if v.Visitor, ok, err = d.Gate.Visitor(r); err != nil || !ok {
		return nil
	}
	if v.may, err = d.authority(r.Context(), v.Visitor); err != nil {
		return nil
	}
	return v
}

type refusal struct {
	Status    int
	Heading   string
	Message   string
	Details   []string
	RequestID string
}

var headings = map[int]string{
	400: "That cannot be read", 401: "You are not signed in", 403: "You don't have permission", 404: "Page not found",
	405: "This page takes no such request", 409: "That conflicts with something else", 413: "That is too long",
	429: "Too many requests",
	503: "Try again in a moment",
}

// refusal writes the page. An undeclared error is reported as an error of ours, and logged.
func (d *Dashboard) refusal(w http.ResponseWriter, r *http.Request, v *request, err error) {
	f := fault.From(err)
	status := f.Code.Status()
	if status >= 500 {
		d.Logger.ErrorContext(
			r.Context(), "page", "path", r.URL.Path, "request_id", w.Header().Get("X-Request-Id"), "error", err.Error(),
		)
	}
	message, details := f.Message, f.Details
	if f.Code == fault.InvalidRequest && len(details) > 0 { // whose message names a field of the API
		message, details = details[0].Message, details[1:]
	}
	body := refusal{
		Status: status, Heading: headings[status], Message: sentence(message), RequestID: w.Header().Get("X-Request-Id"),
	}
	if body.Heading == "" {
		body.Heading = "Something went wrong"
	}
	for _, detail := range details {
		if !strings.Contains(message, detail.Message) {
			body.Details = append(body.Details, sentence(detail.Message))
		}
	}
	if v != nil && v.may.Workspace.ID == "" && !v.may.Manages {
		v = nil // nobody, as far as the page's frame is concerned
	}
	if err := d.write(w, status, page{request: v, theme: themeOf(r), Title: body.Heading, Body: body}); err != nil {
		d.Logger.ErrorContext(r.Context(), "the page of a refusal", "error", err.Error())
		http.Error(w, body.Message, status)
	}
}

// sentence begins in upper case and ends with a full stop. A text without a space, such as a permission, is a name and
// stays as it is.
func sentence(s string) string {
	if !strings.Contains(s, " ") {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// problemOf converts a refusal for a form, or returns the error itself if no form could mend it. The map has the
// fields of the form by their names in the API: an error of one of these stands beside it, in the page's words, and
// not above the form.
func problemOf(err error, rename map[string]string) (*problem, error) {
	f := fault.From(err)
	switch f.Code {
	case fault.InvalidRequest,
		fault.PermissionDenied,
		fault.PermissionEscalation,
		fault.Conflict,
		fault.NotFound,
		fault.LimitReached:
	default:
		return nil, err
	}
	p := &problem{Message: sentence(f.Message), Fields: map[string]string{}}
	elsewhere := ""
	for _, detail := range f.Details {
		field, _, _ := strings.Cut(detail.Field, "[")
		to, shown := rename[field]
		if !shown {
			to = field
			elsewhere = detail.Message
		}
		if p.Fields[to] == "" {
			p.Fields[to] = sentence(detail.Message)
		}
		p.Details = append(p.Details, detail.Message)
	}
	if f.Code != fault.InvalidRequest || len(f.Details) == 0 {
		return p, nil
	}
	p.Message = sentence(elsewhere)
	if elsewhere == "" {
		p.Message = "Nothing is done yet: " +
			map[bool]string{true: "one field needs", false: many(len(p.Fields), "field") + " need"}[len(p.Fields) == 1] +
			" another look."
	}
	return p, nil
}
