package provider_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keyward/keyward/terraform/internal/provider"
)

var update = flag.Bool("update", false, "write the pages of docs anew")

// pagesDir has the pages of the reference, in the layout that the registries read.
const pagesDir = "../../docs"

func TestThePagesAreTheSchemas(t *testing.T) {
	t.Parallel()
	pages := reference(t)
	for name, want := range pages {
		path := filepath.Join(pagesDir, name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v: go test ./internal/provider -run ThePages -update writes it", err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not as the schema (go test ./internal/provider -run ThePages -update writes it):\n%s", name, diff)
		}
	}
	found, err := filepath.Glob(pagesDir + "/*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(pages)-1 || len(found) < 16 {
		t.Errorf("%d pages beside the index, want %d", len(found), len(pages)-1)
	}
}

// reference renders every schema.
func reference(t *testing.T) map[string]string {
	t.Helper()
	server, err := providerserver.NewProtocol6WithError(provider.New("test")())()
	if err != nil {
		t.Fatal(err)
	}
	all, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{"index.md": page("keyward", "Provider", all.Provider)}
	for _, group := range []struct {
		dir, title string
		schemas    map[string]*tfprotov6.Schema
	}{
		{"resources", "Resource", all.ResourceSchemas}, {"data-sources", "Data source", all.DataSourceSchemas},
		{"ephemeral-resources", "Ephemeral resource", all.EphemeralResourceSchemas},
	} {
		for name, schema := range group.schemas {
			pages[group.dir+"/"+strings.TrimPrefix(name, "keyward_")+".md"] = page(name, group.title, schema)
		}
	}
	return pages
}

func page(name, title string, schema *tfprotov6.Schema) string {
	var b strings.Builder
	fmt.Fprintf(&b, "---\npage_title: %q\n---\n\n# %s `%s`\n\n%s\n", name, title, name, schema.Block.Description)
	list(&b, "", schema.Block.Attributes)
	return b.String()
}

// list writes the attributes of a block: those to set, and then those that the server answers.
func list(b *strings.Builder, within string, attributes []*tfprotov6.SchemaAttribute) {
	settable := func(a *tfprotov6.SchemaAttribute) bool { return a.Required || a.Optional }
	for _, group := range []struct {
		title string
		in    func(*tfprotov6.SchemaAttribute) bool
	}{
		{"Arguments", settable},
		{"Attributes", func(a *tfprotov6.SchemaAttribute) bool { return !settable(a) }},
	} {
		var rows []string
		for _, a := range attributes {
			if group.in(a) {
				rows = append(rows, row(a))
			}
		}
		if len(rows) > 0 {
			slices.Sort(rows)
			fmt.Fprintf(b, "\n## %s%s\n\n%s\n", group.title, within, strings.Join(rows, "\n"))
		}
	}
	for _, a := range attributes {
		if a.NestedType != nil {
			list(b, fmt.Sprintf(" within `%s`", a.Name), a.NestedType.Attributes)
		}
	}
}

func row(a *tfprotov6.SchemaAttribute) string {
	notes := []string{kindOf(a)}
	for _, note := range []struct {
		is   bool
		word string
	}{{a.Required, "required"}, {a.WriteOnly, "write-only"}, {a.Sensitive && !a.WriteOnly, "sensitive"}} {
		if note.is {
			notes = append(notes, note.word)
		}
	}
	return fmt.Sprintf("- `%s` (%s): %s", a.Name, strings.Join(notes, ", "), a.Description)
}

// kindOf names the type of an attribute.
func kindOf(a *tfprotov6.SchemaAttribute) string {
	if a.NestedType != nil {
		if a.NestedType.Nesting == tfprotov6.SchemaObjectNestingModeList {
			return "list of objects"
		}
		return "object"
	}
	switch kind := strings.TrimPrefix(a.Type.String(), "tftypes."); kind {
	case "Set[tftypes.String]":
		return "set of strings"
	case "Bool":
		return "true or false"
	default:
		return strings.ToLower(kind)
	}
}
