// Package apitest owns the check of real answers against the contract: the status is declared, the headers and the
// content type are there, the body matches its schema. Tests call it on every answer. It does not own the contract
// (api), nor a test's further expectations.
package apitest

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/keyward/keyward/api"
)

// Checker compares answers with the document. It is safe for concurrent use.
type Checker struct {
	document map[string]any
	routes   []route
	answers  map[string]answer // by "GET /path/{template} 200"
	failure  *jsonschema.Schema
}

// answer is the document's declaration of one status of one operation.
type answer struct {
	headers  map[string]*jsonschema.Schema // those that must be there
	contents map[string]body
}

// body is the document's declaration of one content type: a schema of the whole, or of each line.
type body struct {
	isJSON bool
	whole  *jsonschema.Schema
	line   *jsonschema.Schema // nil but for NDJSON
}

// New compiles every schema of the contract, in some tens of milliseconds. The error names the fault of the document.
func New() (*Checker, error) {
	source, err := api.JSON()
	if err != nil {
		return nil, err
	}
	schemas, err := NewSchemas(source)
	if err != nil {
		return nil, err
	}
	c := &Checker{document: schemas.document, answers: map[string]answer{}}
	if c.failure, err = schemas.At("/components/schemas/Error"); err != nil {
		return nil, err
	}
	for path, item := range members(c.document["paths"]) {
		r := route{template: path, segments: strings.Split(path, "/")}
		for method, operation := range members(item) {
			if !isMethod(method) {
				continue
			}
			r.methods = append(r.methods, strings.ToUpper(method))
			r.any = r.any || members(operation)["x-keyward-methods"] == "any"
			if err := c.declare(schemas, strings.ToUpper(method)+" "+path, pointer("paths", path, method),
				operation); err != nil {
				return nil, err
			}
		}
		slices.Sort(r.methods)
		c.routes = append(c.routes, r)
	}
	return c, nil
}

func isMethod(name string) bool {
	return slices.Contains([]string{"get", "post", "put", "patch", "delete", "head", "options"}, name)
}

// declare notes each status that an operation may answer.
func (c *Checker) declare(schemas *Schemas, name, at string, operation any) error {
	responses, ok := operation.(map[string]any)["responses"]
	if !ok {
		return fmt.Errorf("%s: no responses", name)
	}
	for status := range members(responses) {
		where := schemas.follow(at + pointer("responses", status))
		a := answer{headers: map[string]*jsonschema.Schema{}, contents: map[string]body{}}
		for header := range members(schemas.value(where + pointer("headers"))) {
			declared := schemas.follow(where + pointer("headers", header))
			if required, _ := schemas.value(declared + "/required").(bool); !required {
				continue
			}
			schema, err := schemas.At(declared + "/schema")
			if err != nil {
				return fmt.Errorf("%s: %s: header %s: %w", name, status, header, err)
			}
			a.headers[header] = schema
		}
		for mediaType := range members(schemas.value(where + pointer("content"))) {
			b, err := content(schemas, mediaType, where+pointer("content", mediaType))
			if err != nil {
				return fmt.Errorf("%s: %s: %s: %w", name, status, mediaType, err)
			}
			a.contents[mediaType] = b
		}
		c.answers[name+" "+status] = a
	}
	return nil
}

func content(schemas *Schemas, mediaType, at string) (b body, err error) {
	b.isJSON = mediaType == "application/json"
	if b.whole, err = schemas.At(at + "/schema"); err != nil {
		return body{}, err
	}
	if schemas.value(at+"/x-line-schema") != nil {
		b.line, err = schemas.At(at + "/x-line-schema")
	}
	return b, err
}

// Check says how an answer to method and path (the URL's path as it was sent, without the query) departs from the
// contract: a status that is not declared, a header that is missing, another content type, a body that its schema
// refuses. A path that the contract does not know may answer 404 alone, a method that a path does not know 405 (with
// Allow) alone, both with the envelope of errors. An answer to HEAD is that to GET without a body.
func (c *Checker) Check(method, path string, status int, header http.Header, body []byte) error {
	if err := c.check(method, path, status, header, body); err != nil {
		return fmt.Errorf("%s %s: %d: %w", method, path, status, err)
	}
	return nil
}

func (c *Checker) check(method, path string, status int, header http.Header, body []byte) error {
	r, known := c.route(path)
	if !known {
		return c.refusal(http.StatusNotFound, "an unknown path", status, header, body)
	}
	asked := method
	if (r.any || method == http.MethodHead) && !slices.Contains(r.methods, method) {
		asked = http.MethodGet
	}
	if !slices.Contains(r.methods, asked) {
		if header.Get("Allow") == "" {
			return fmt.Errorf("the header Allow is missing")
		}
		return c.refusal(http.StatusMethodNotAllowed, "a method that the path does not have", status, header, body)
	}
	declared, ok := c.answers[asked+" "+r.template+" "+strconv.Itoa(status)]
	if !ok {
		return fmt.Errorf("%s %s does not declare this status: %s", asked, r.template, excerpt(body))
	}
	for name, schema := range declared.headers {
		if header.Get(name) == "" {
			return fmt.Errorf("the header %s is missing", name)
		}
		if err := schema.Validate(header.Get(name)); err != nil {
			return fmt.Errorf("the header %s: %w", name, err)
		}
	}
	if len(declared.contents) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("a body where none is declared: %s", excerpt(body))
		}
		return nil
	}
	return declared.check(header, body, method == http.MethodHead)
}

// refusal checks an answer that no operation gave.
func (c *Checker) refusal(want int, what string, status int, header http.Header, content []byte) error {
	switch {
	case status == http.StatusBadRequest && want == http.StatusNotFound:
		// a path that has no canonical form, or a key in the query, is refused before it is looked at
	case status != want:
		return fmt.Errorf("%s is answered by %d, want %d: %s", what, status, want, excerpt(content))
	}
	if header.Get("X-Request-Id") == "" {
		return fmt.Errorf("the header X-Request-Id is missing")
	}
	envelope := answer{contents: map[string]body{"application/json": {isJSON: true, whole: c.failure}}}
	return envelope.check(header, content, len(content) == 0)
}

// check compares content type and body; of an answer to HEAD there is no body.
func (a answer) check(header http.Header, content []byte, head bool) error {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("the content type %q: %w", header.Get("Content-Type"), err)
	}
	declared, ok := a.contents[mediaType]
	switch {
	case !ok:
		return fmt.Errorf("the content type %s is not declared", mediaType)
	case head && len(content) == 0:
		return nil
	}
	return declared.check(content)
}

func (b body) check(content []byte) error {
	if b.line != nil {
		for i, line := range bytes.Split(bytes.TrimSuffix(content, []byte("\n")), []byte("\n")) {
			if len(content) == 0 {
				break
			}
			if err := validate(b.line, line); err != nil {
				return fmt.Errorf("line %d: %w", i+1, err)
			}
		}
		return nil
	}
	if b.isJSON {
		return validate(b.whole, content)
	}
	return b.whole.Validate(string(content))
}

func validate(schema *jsonschema.Schema, content []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("%w: %s", err, excerpt(content))
	}
	if err := schema.Validate(v); err != nil {
		return fmt.Errorf("%w\nin %s", err, excerpt(content))
	}
	return nil
}

// excerpt keeps a message readable.
func excerpt(content []byte) string {
	const most = 2000
	if len(content) > most {
		return string(content[:most]) + "…"
	}
	return string(content)
}
