package provider_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/keyward/keyward/terraform/internal/provider"
	"github.com/keyward/keyward/terraform/internal/realserver"
)

// root is the directory of the main module, seen from this package.
const root = "../../.."

func TestMain(m *testing.M) {
	code := m.Run()
	realserver.Remove()
	os.Exit(code)
}

// values are the attributes of a configuration: texts, numbers, truths, []string for sets, values for objects.
type values map[string]any

// unknown is a value that is known after the apply only.
type unknown struct{}

// host speaks the plugin protocol to the provider, as OpenTofu does.
type host struct {
	t       *testing.T
	server  tfprotov6.ProviderServer
	schemas *tfprotov6.GetProviderSchemaResponse
}

// connect starts the provider in this process.
func connect(t *testing.T, config values) *host {
	t.Helper()
	h := &host{t: t}
	var err error
	if h.server, err = providerserver.NewProtocol6WithError(provider.New("test")())(); err != nil {
		t.Fatal(err)
	}
	h.schemas, err = h.server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	h.check(err, h.schemas.Diagnostics)
	resp, err := h.server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{
		TerraformVersion: "1.12.0", Config: h.encode(h.schemas.Provider, config),
	})
	h.check(err, resp.Diagnostics)
	return h
}

// check ends the test with the errors among the diagnostics.
func (h *host) check(err error, diags []*tfprotov6.Diagnostic) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, d := range diags {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			h.t.Fatalf("%s: %s\n%s", d.Attribute, d.Summary, d.Detail)
		}
	}
}

// complaints lists diagnostics as "attribute: summary".
func complaints(diags []*tfprotov6.Diagnostic) (out []string) {
	for _, d := range diags {
		at := ""
		if d.Attribute != nil && len(d.Attribute.Steps()) > 0 {
			at = strings.Trim(fmt.Sprint(d.Attribute), "<>")
		}
		out = append(out, at+": "+d.Summary+" "+d.Detail)
	}
	return out
}

// build makes a value of a type out of what a test says.
func build(typ tftypes.Type, v any) tftypes.Value {
	switch v := v.(type) {
	case nil:
		return tftypes.NewValue(typ, nil)
	case unknown:
		return tftypes.NewValue(typ, tftypes.UnknownValue)
	case values:
		object := typ.(tftypes.Object)
		members := map[string]tftypes.Value{}
		for name, of := range object.AttributeTypes {
			members[name] = build(of, v[name])
		}
		for name := range v {
			if _, ok := object.AttributeTypes[name]; !ok {
				panic("no attribute " + name)
			}
		}
		return tftypes.NewValue(typ, members)
	case []string:
		element := typ.(tftypes.Set).ElementType
		members := make([]tftypes.Value, len(v))
		for i, s := range v {
			members[i] = tftypes.NewValue(element, s)
		}
		return tftypes.NewValue(typ, members)
	case tftypes.Value:
		return v
	}
	return tftypes.NewValue(typ, v)
}

func (h *host) encode(schema *tfprotov6.Schema, v any) *tfprotov6.DynamicValue {
	h.t.Helper()
	out, err := tfprotov6.NewDynamicValue(schema.ValueType(), build(schema.ValueType(), v))
	if err != nil {
		h.t.Fatal(err)
	}
	return &out
}

func (h *host) decode(schema *tfprotov6.Schema, d *tfprotov6.DynamicValue) tftypes.Value {
	h.t.Helper()
	v, err := d.Unmarshal(schema.ValueType())
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

// object is a resource as a test follows it.
type object struct {
	*host
	kind    string
	schema  *tfprotov6.Schema
	state   tftypes.Value
	private []byte
}

func (h *host) object(kind string) *object {
	schema := h.schemas.ResourceSchemas[kind]
	return &object{host: h, kind: kind, schema: schema, state: tftypes.NewValue(schema.ValueType(), nil)}
}

// planned is the outcome of a plan.
type planned struct {
	config, state tftypes.Value
	private       []byte
	replace       []string
	diags         []*tfprotov6.Diagnostic
}

func (p *planned) failed() bool {
	return slices.ContainsFunc(p.diags, func(d *tfprotov6.Diagnostic) bool {
		return d.Severity == tfprotov6.DiagnosticSeverityError
	})
}

// proposed merges the configuration into the state as OpenTofu does: a computed attribute that is not configured keeps
// its value, and a write-only one is null.
func (o *object) proposed(config tftypes.Value) tftypes.Value {
	if config.IsNull() || o.state.IsNull() {
		return o.withoutWriteOnly(config)
	}
	return o.withoutWriteOnly(o.merged(config))
}

func (o *object) merged(config tftypes.Value) tftypes.Value {
	is, was := members(o.t, config), members(o.t, o.state)
	for _, a := range o.schema.Block.Attributes {
		if a.Computed && is[a.Name].IsNull() {
			is[a.Name] = was[a.Name]
		}
	}
	return tftypes.NewValue(config.Type(), is)
}

func (o *object) withoutWriteOnly(v tftypes.Value) tftypes.Value {
	if v.IsNull() {
		return v
	}
	is := members(o.t, v)
	for _, a := range o.schema.Block.Attributes {
		if a.WriteOnly {
			is[a.Name] = tftypes.NewValue(a.ValueType(), nil)
		}
	}
	return tftypes.NewValue(v.Type(), is)
}

func members(t *testing.T, v tftypes.Value) map[string]tftypes.Value {
	t.Helper()
	var out map[string]tftypes.Value
	if err := v.As(&out); err != nil {
		t.Fatal(err)
	}
	return maps.Clone(out) // As gives the value's own map
}

// plan validates and plans a configuration; nil plans the destruction.
func (o *object) plan(config any) planned {
	o.t.Helper()
	c := build(o.schema.ValueType(), config)
	if !c.IsNull() {
		resp, err := o.server.ValidateResourceConfig(o.t.Context(), &tfprotov6.ValidateResourceConfigRequest{
			TypeName: o.kind, Config: o.encode(o.schema, c),
			ClientCapabilities: &tfprotov6.ValidateResourceConfigClientCapabilities{WriteOnlyAttributesAllowed: true},
		})
		if err != nil {
			o.t.Fatal(err)
		}
		if p := (planned{config: c, diags: resp.Diagnostics}); p.failed() {
			return p
		}
	}
	resp, err := o.server.PlanResourceChange(o.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: o.kind, PriorState: o.encode(o.schema, o.state), PriorPrivate: o.private,
		ProposedNewState: o.encode(o.schema, o.proposed(c)), Config: o.encode(o.schema, c),
	})
	if err != nil {
		o.t.Fatal(err)
	}
	p := planned{config: c, private: resp.PlannedPrivate, diags: resp.Diagnostics}
	if p.failed() {
		return p
	}
	p.state = o.decode(o.schema, resp.PlannedState)
	for _, at := range resp.RequiresReplace {
		p.replace = append(p.replace, fmt.Sprint(at))
	}
	return p
}

// apply plans and applies a configuration, which must succeed without a replacement.
func (o *object) apply(config any) {
	o.t.Helper()
	p := o.plan(config)
	o.check(nil, p.diags)
	if len(p.replace) > 0 {
		o.t.Fatalf("%s replaces the %s", p.replace, o.kind)
	}
	o.check(nil, o.carryOut(p))
}

// carryOut applies a plan, and gives the diagnostics.
func (o *object) carryOut(p planned) []*tfprotov6.Diagnostic {
	o.t.Helper()
	resp, err := o.server.ApplyResourceChange(o.t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: o.kind, PriorState: o.encode(o.schema, o.state), PlannedState: o.encode(o.schema, p.state),
		Config: o.encode(o.schema, p.config), PlannedPrivate: p.private,
	})
	if err != nil {
		o.t.Fatal(err)
	}
	o.state, o.private = o.decode(o.schema, resp.NewState), resp.Private
	if !p.failed() && !slices.ContainsFunc(resp.Diagnostics, func(d *tfprotov6.Diagnostic) bool {
		return d.Severity == tfprotov6.DiagnosticSeverityError
	}) {
		o.consistent(p.state)
	}
	return resp.Diagnostics
}

// consistent holds the new state against the plan: what was known is as it was planned.
func (o *object) consistent(plan tftypes.Value) {
	o.t.Helper()
	if plan.IsNull() {
		if !o.state.IsNull() {
			o.t.Errorf("%s: the destroyed object is in the state", o.kind)
		}
		return
	}
	is := members(o.t, o.state)
	for name, wanted := range members(o.t, plan) {
		if wanted.IsFullyKnown() && !wanted.Equal(is[name]) {
			o.t.Errorf("%s.%s is %s, and was planned as %s", o.kind, name, is[name], wanted)
		}
		if !is[name].IsFullyKnown() {
			o.t.Errorf("%s.%s is unknown after the apply", o.kind, name)
		}
	}
}

// refresh reads the object. It reports whether it is there.
func (o *object) refresh() bool {
	o.t.Helper()
	resp, err := o.server.ReadResource(o.t.Context(), &tfprotov6.ReadResourceRequest{
		TypeName: o.kind, CurrentState: o.encode(o.schema, o.state), Private: o.private,
	})
	o.check(err, resp.Diagnostics)
	o.state = o.decode(o.schema, resp.NewState)
	return !o.state.IsNull()
}

// settled fails unless a plan of the same configuration changes nothing, also after a refresh.
func (o *object) settled(config any) {
	o.t.Helper()
	if !o.refresh() {
		o.t.Fatalf("the %s is gone", o.kind)
	}
	p := o.plan(config)
	o.check(nil, p.diags)
	if len(p.replace) > 0 || !p.state.Equal(o.state) {
		diffs, _ := p.state.Diff(o.state)
		o.t.Errorf("a second plan of the %s changes it: %v %v", o.kind, p.replace, diffs)
	}
}

// imported brings an object in by its id.
func (h *host) imported(kind, id string) *object {
	h.t.Helper()
	o := h.object(kind)
	resp, err := h.server.ImportResourceState(h.t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: kind, ID: id})
	h.check(err, resp.Diagnostics)
	if len(resp.ImportedResources) != 1 {
		h.t.Fatalf("%d resources were imported", len(resp.ImportedResources))
	}
	o.state, o.private = h.decode(o.schema, resp.ImportedResources[0].State), resp.ImportedResources[0].Private
	if !o.refresh() {
		h.t.Fatalf("the imported %s is not there", kind)
	}
	return o
}

// text is an attribute of the state; "" for null.
func (o *object) text(name string) string {
	o.t.Helper()
	return textOf(o.t, members(o.t, o.state)[name])
}

func textOf(t *testing.T, v tftypes.Value) string {
	t.Helper()
	if v.IsNull() {
		return ""
	}
	var s string
	if err := v.As(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// data reads a data source.
func (h *host) data(kind string, config values) (map[string]tftypes.Value, []*tfprotov6.Diagnostic) {
	h.t.Helper()
	schema := h.schemas.DataSourceSchemas[kind]
	resp, err := h.server.ReadDataSource(h.t.Context(), &tfprotov6.ReadDataSourceRequest{
		TypeName: kind, Config: h.encode(schema, config),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if len(resp.Diagnostics) > 0 {
		return nil, resp.Diagnostics
	}
	return members(h.t, h.decode(schema, resp.State)), nil
}

// opened is an open ephemeral resource.
type opened struct {
	members map[string]tftypes.Value
	close   func()
}

// open opens an ephemeral resource.
func (h *host) open(kind string, config values) opened {
	h.t.Helper()
	schema := h.schemas.EphemeralResourceSchemas[kind]
	resp, err := h.server.OpenEphemeralResource(h.t.Context(), &tfprotov6.OpenEphemeralResourceRequest{
		TypeName: kind, Config: h.encode(schema, config),
	})
	h.check(err, resp.Diagnostics)
	return opened{members(h.t, h.decode(schema, resp.Result)), func() {
		h.t.Helper()
		closed, err := h.server.CloseEphemeralResource(context.WithoutCancel(h.t.Context()),
			&tfprotov6.CloseEphemeralResourceRequest{
				TypeName: kind, Private: resp.Private,
			})
		h.check(err, closed.Diagnostics)
	}}
}

func (e opened) text(t *testing.T, name string) string {
	t.Helper()
	return textOf(t, e.members[name])
}

// with returns the values with others in their place.
func (v values) with(others values) values {
	out := maps.Clone(v)
	maps.Copy(out, others)
	return out
}
