package apitest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// base is the name under which the compiler knows the document; nothing is fetched from there.
const base = "https://keyward.invalid/openapi.json"

// Schemas compiles the schemas inside an OpenAPI 3.1 document, which are JSON Schema 2020-12, formats included.
type Schemas struct {
	document map[string]any
	compiler *jsonschema.Compiler
}

// NewSchemas reads a document in JSON. References to other documents are refused.
func NewSchemas(document []byte) (*Schemas, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("read the document: want an object")
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(jsonschema.SchemeURLLoader{})
	if err := c.AddResource(base, object); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	return &Schemas{document: object, compiler: c}, nil
}

// At compiles the schema that a JSON pointer (RFC 6901) leads to.
func (s *Schemas) At(at string) (*jsonschema.Schema, error) {
	schema, err := s.compiler.Compile(base + "#" + fragment(at))
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", at, err)
	}
	return schema, nil
}

// Value returns the value at a JSON pointer, following references on the way; nil for none.
func (s *Schemas) Value(at string) any { return s.value(s.follow(at)) }

// value returns the value at a pointer, nil for none.
func (s *Schemas) value(at string) any {
	var v any = s.document
	for part := range strings.SplitSeq(strings.TrimPrefix(at, "/"), "/") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return v
}

// follow gives the pointer to which a pointer leads once a $ref there is followed.
func (s *Schemas) follow(at string) string {
	for {
		object, ok := s.value(at).(map[string]any)
		if !ok {
			return at
		}
		ref, ok := object["$ref"].(string)
		if !ok {
			return at
		}
		at = strings.TrimPrefix(ref, "#")
	}
}

// pointer joins names into a JSON pointer.
func pointer(names ...string) string {
	var b strings.Builder
	for _, n := range names {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(n))
	}
	return b.String()
}

// fragment escapes the characters of a pointer that a URL's fragment cannot hold.
func fragment(at string) string {
	return strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D", " ", "%20").Replace(at)
}

// members gives the members of an object, none for anything else.
func members(v any) map[string]any {
	object, _ := v.(map[string]any)
	return object
}

// Resolve gives the pointer to which a pointer leads once every $ref on the way is followed.
func (s *Schemas) Resolve(at string) string {
	done := ""
	for part := range strings.SplitSeq(strings.TrimPrefix(at, "/"), "/") {
		done = s.follow(done + "/" + part)
	}
	return done
}
