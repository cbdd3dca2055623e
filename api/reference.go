package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ObjectsPage is the page of the objects that answers hold.
const ObjectsPage = "objects"

// A page, as the template sees it.
type (
	page struct {
		Title, Version, Summary string
		Description             string
		Groups                  []group  // all of them, for the contents
		Group                   *group   // the one that the page tells; nil on the first page and on that of the objects
		Objects                 []object // of the page of the objects alone
	}
	group struct {
		Name, Description string
		Operations        []operation
	}
	operation struct {
		ID, Method, Path, Summary, Description string
		Caller                                 string
		Grants                                 bool
		Parameters                             []field
		Body                                   *content
		Answers, Errors                        []answer
		Samples                                []sample
	}
	answer struct {
		Status, Title, Description string
		Codes                      []string
		Headers                    []field
		Contents                   []content
	}
	content struct {
		Type     string
		Optional bool
		Object   string // the name of an object that is told elsewhere
		Fields   []field
		Examples []example
	}
	example struct{ Summary, Text string }
	object  struct {
		Name, Description string
		Fields            []field
	}
)

// render makes every page, by its name; the first page has none.
func render() (map[string][]byte, error) {
	pages, err := renderPages()
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	return pages, nil
}

func renderPages() (map[string][]byte, error) {
	root, err := parse()
	if err != nil {
		return nil, err
	}
	w := writer{document: tree{root: root, node: root}}
	if w.samples, err = readSamples(samplesText); err != nil {
		return nil, err
	}
	all, err := w.page()
	if err != nil {
		return nil, err
	}
	first, objects := all, all
	first.Objects = nil
	pages := map[string]page{"": first, ObjectsPage: objects}
	for i := range all.Groups {
		one := first
		one.Group = &all.Groups[i]
		pages[anchor(one.Group.Name)] = one
	}
	out := make(map[string][]byte, len(pages))
	for name, p := range pages {
		var html bytes.Buffer
		if err := p.document().Render(context.Background(), &html); err != nil {
			return nil, err
		}
		out[name] = html.Bytes()
	}
	return out, nil
}

// writer makes the pages out of the document, and remembers which objects the answers speak of.
type writer struct {
	document tree
	samples  map[string]map[string]string
	objects  []string
}

func (w *writer) page() (page, error) {
	info := w.document.get("info")
	p := page{Title: info.get("title").text(), Version: info.get("version").text(), Summary: info.get("summary").text(),
		Description: info.get("description").text()}
	for _, tag := range w.document.get("tags").items() {
		g := group{Name: tag.get("name").text(), Description: tag.get("description").text()}
		operations, err := w.operations(g.Name)
		if err != nil {
			return page{}, err
		}
		g.Operations = operations
		p.Groups = append(p.Groups, g)
	}
	for i := 0; i < len(w.objects); i++ { // describing an object may find further ones
		schema, _ := w.document.follow("#/components/schemas/" + w.objects[i])
		p.Objects = append(
			p.Objects,
			object{Name: w.objects[i], Description: schema.get("description").text(), Fields: w.fields(schema, "", true)},
		)
	}
	slices.SortFunc(p.Objects, func(a, b object) int { return strings.Compare(a.Name, b.Name) })
	return p, nil
}

var methods = []string{"get", "post", "put", "patch", "delete"}

func (w *writer) operations(tag string) ([]operation, error) {
	var all []operation
	for _, path := range w.document.get("paths").members() {
		for _, m := range path.tree.members() {
			if !slices.Contains(methods, m.name) || !slices.Contains(m.tree.get("tags").texts(), tag) {
				continue
			}
			o, err := w.operation(path, m)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", m.name, path.name, err)
			}
			all = append(all, o)
		}
	}
	return all, nil
}

func (w *writer) operation(path, m member) (operation, error) {
	t := m.tree
	o := operation{
		ID: t.get("operationId").text(), Method: strings.ToUpper(m.name), Path: path.name, Summary: t.get("summary").text(),
		Description: t.get("description").text(), Caller: caller(t), Grants: t.get("x-grants").text() == "true",
	}
	for _, p := range slices.Concat(path.tree.get("parameters").items(), t.get("parameters").items()) {
		f := w.field(p.get("name").text(), p.get("schema"), p.get("required").text() == "true")
		f.In, f.Description = p.get("in").text(), p.get("description").text()
		o.Parameters = append(o.Parameters, f)
	}
	if body := t.get("requestBody"); body.exists() {
		contents, err := w.contents(body.get("content"), false)
		if err != nil {
			return operation{}, err
		}
		contents[0].Optional = body.get("required").text() != "true"
		o.Body = &contents[0]
	}
	for _, r := range t.get("responses").members() {
		a, err := w.answer(r)
		if err != nil {
			return operation{}, err
		}
		if strings.HasPrefix(r.name, "2") {
			o.Answers = append(o.Answers, a)
		} else {
			o.Errors = append(o.Errors, a)
		}
	}
	o.Samples = w.samplesOf(&o, len(t.get("security").items()) > 0)
	return o, nil
}

// caller describes the permitted callers in words.
func caller(t tree) string {
	kind := ""
	for _, s := range t.get("security").items() {
		for _, name := range s.members() {
			kind += name.name + " "
		}
	}
	needs := t.get("x-keyward-permission").text()
	scope, scoped := strings.CutPrefix(needs, "scope:")
	switch {
	case needs == "none":
		return "anybody, without a key"
	case scoped && scope == "root":
		return "a service key with the scope `root`"
	case scoped && kind == "person serviceKey ":
		return "a person, or a service key with the scope `" + scope + "` or `root`"
	case scoped:
		return "a service key with the scope `" + scope + "` or `root`"
	case needs == "any" && kind == "apiKey ":
		return "any API key"
	case needs == "any" && kind == "person serviceKey ":
		return "a person, or a service key with the scope `manage` or `root`"
	case needs == "any":
		return "anybody with a credential"
	}
	if strings.Contains(kind, "person") {
		return "an API key or a person with `" + needs + "`, or a service key with the scope `manage` or `root`"
	}
	return "an API key with `" + needs + "`, or a service key with the scope `manage` or `root`"
}

func (w *writer) answer(r member) (answer, error) {
	a := answer{Status: r.name, Description: r.tree.get("description").text()}
	if code, err := strconv.Atoi(r.name); err == nil {
		a.Title = http.StatusText(code)
	}
	for _, h := range r.tree.get("headers").members() {
		if h.name == "X-Request-Id" { // every answer has it; the introduction says so
			continue
		}
		f := w.field(h.name, h.tree.get("schema"), true)
		f.Description = h.tree.get("description").text()
		a.Headers = append(a.Headers, f)
	}
	contents, err := w.contents(r.tree.get("content"), true)
	if err != nil {
		return answer{}, err
	}
	a.Contents = contents
	for _, m := range r.tree.get("content").members() {
		for _, e := range m.tree.get("examples").members() {
			code := e.tree.get("value", "error", "code").text()
			if code != "" && !slices.Contains(a.Codes, code) {
				a.Codes = append(a.Codes, code)
			}
		}
	}
	return a, nil
}

// contents tells each media type's fields and examples. Of our own envelope only the result is told.
func (w *writer) contents(t tree, linked bool) ([]content, error) {
	var all []content
	for _, m := range t.members() {
		schema := m.tree.get("schema")
		if result := schema.get("properties", "data", "properties", "result"); result.exists() {
			schema = result
		}
		c := content{Type: m.name}
		if linked && schema.ref != "" && isObject(schema) && !schema.get("additionalProperties").is("true") &&
			schema.get("properties").size() > 0 {
			c.Object = w.link(schema.ref)
		} else {
			c.Fields = w.fields(schema, "", linked)
		}
		for _, e := range m.tree.get("examples").members() {
			text, err := exampleText(m.name, e.tree.get("value"))
			if err != nil {
				return nil, err
			}
			c.Examples = append(c.Examples, example{e.tree.get("summary").text(), text})
		}
		all = append(all, c)
	}
	return all, nil
}

func exampleText(mediaType string, value tree) (string, error) {
	if mediaType == "application/x-www-form-urlencoded" {
		form := url.Values{}
		for _, m := range value.members() {
			form.Set(m.name, m.tree.text())
		}
		return form.Encode(), nil
	}
	if s := value.text(); s != "" {
		return s, nil
	}
	return value.json()
}

func indent(b []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil { // it was written by appendJSON
		return string(b)
	}
	return out.String()
}
