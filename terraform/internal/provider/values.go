package provider

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/keyward/keyward"
)

// never is the expiry of a key that does not expire.
const never = "never"

// timeForm is how the API writes a time.
const timeForm = "2006-01-02T15:04:05.000Z07:00"

// instant reads an expiry as the API does: RFC 3339, or a date, which is its midnight in UTC. The API keeps
// milliseconds.
func instant(s string) (time.Time, error) {
	form := time.RFC3339Nano
	if len(s) == len(time.DateOnly) {
		form = time.DateOnly
	}
	t, err := time.Parse(form, s)
	if err != nil {
		return t, fmt.Errorf("want a time such as 2027-01-31T08:00:00Z, or a date such as 2027-01-31")
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

func sameInstant(a, b string) bool {
	x, errX := instant(a)
	y, errY := instant(b)
	return errX == nil && errY == nil && x.Equal(y)
}

// sameJSON reports whether two texts are the same JSON value, up to the precision that the client's numbers have.
func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// exactJSON is sameJSON with every digit of a number.
func exactJSON(a, b string) bool {
	x, errX := metadataOf(types.StringValue(a))
	y, errY := metadataOf(types.StringValue(b))
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

// sameNetwork reports whether two texts are the same network; a single address is a network of its own.
func sameNetwork(a, b string) bool {
	x, errX := network(a)
	y, errY := network(b)
	return errX == nil && errY == nil && x == y
}

func network(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}

// expiry writes the expiry of a key.
func expiry(t *time.Time) string {
	if t == nil {
		return never
	}
	return stamp(*t)
}

func stamp(t time.Time) string { return t.UTC().Format(timeForm) }

// optional is null for the empty text.
func optional(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}

// settle returns the value that the state keeps: the earlier text if it means the same as that of the server.
func settle(prior types.String, fresh string, same func(a, b string) bool) types.String {
	if was := prior.ValueString(); was != "" && same(was, fresh) {
		return prior
	}
	return types.StringValue(fresh)
}

// settleSet is settle for a set. An empty list of the server is null, unless the state has the empty set.
func settleSet(prior types.Set, fresh []string, same func(a, b string) bool) types.Set {
	was := stringsOf(prior)
	in := func(list []string) func(string) bool {
		return func(s string) bool {
			return slices.ContainsFunc(list, func(other string) bool { return same(s, other) })
		}
	}
	outside := func(s string) bool { return !in(fresh)(s) }
	missing := func(s string) bool { return !in(was)(s) }
	if !prior.IsNull() && !prior.IsUnknown() && !slices.ContainsFunc(was, outside) &&
		!slices.ContainsFunc(fresh, missing) {
		return prior
	}
	if len(fresh) == 0 {
		return types.SetNull(types.StringType)
	}
	return setOf(fresh)
}

func equal(a, b string) bool { return a == b }

// setOf makes a set of texts.
func setOf[S ~string](list []S) types.Set {
	values := make([]attr.Value, len(list))
	for i, s := range list {
		values[i] = types.StringValue(string(s))
	}
	return types.SetValueMust(types.StringType, values)
}

// stringsOf returns the texts of a set, in order; nil for null and unknown.
func stringsOf(set types.Set) []string {
	var out []string
	for _, v := range set.Elements() {
		if s, ok := v.(types.String); ok {
			out = append(out, s.ValueString())
		}
	}
	slices.Sort(out)
	return out
}

// limitsType is the type of a pair of limits.
var limitsType = map[string]attr.Type{
	"requests_per_minute": types.Int64Type, "requests_per_day": types.Int64Type,
}

// limits shows a pair of limits; null is unlimited.
func limits(r keyward.RateLimit) types.Object {
	number := func(n *int) attr.Value {
		if n == nil {
			return types.Int64Null()
		}
		return types.Int64Value(int64(*n))
	}
	return types.ObjectValueMust(limitsType, map[string]attr.Value{
		"requests_per_minute": number(r.RequestsPerMinute), "requests_per_day": number(r.RequestsPerDay),
	})
}

// wantedLimits is the other way round: what is null in the object is unlimited, and an object that is null or unknown
// is not sent.
func wantedLimits(o types.Object) keyward.Field[keyward.Limits] {
	if o.IsNull() || o.IsUnknown() {
		return keyward.Field[keyward.Limits]{}
	}
	number := func(name string) keyward.Field[int] {
		if n, ok := o.Attributes()[name].(types.Int64); ok && !unset(n) {
			return keyward.Set(int(n.ValueInt64()))
		}
		return keyward.Null[int]()
	}
	return keyward.Set(keyward.Limits{
		RequestsPerMinute: number("requests_per_minute"), RequestsPerDay: number("requests_per_day"),
	})
}

// unlimited reports whether neither limit is set.
func unlimited(r keyward.RateLimit) bool {
	return r.RequestsPerMinute == nil && r.RequestsPerDay == nil
}

// number shows an optional number.
func number(n *int64) types.Int64 { return basetypes.NewInt64PointerValue(n) }

// orNull sends a text, and null in the place of none.
func orNull(s types.String) keyward.Field[string] {
	if s.ValueString() == "" {
		return keyward.Null[string]()
	}
	return keyward.Set(s.ValueString())
}

// expiryField sends an expiry; never is null.
func expiryField(s types.String) (keyward.Field[time.Time], error) {
	switch {
	case s.IsNull(), s.IsUnknown():
		return keyward.Field[time.Time]{}, nil
	case s.ValueString() == never:
		return keyward.Null[time.Time](), nil
	}
	t, err := instant(s.ValueString())
	return keyward.Set(t), err
}

// expiryTime is expiryField for a creation, where nil leaves the expiry to the server.
func expiryTime(s types.String) (*time.Time, error) {
	f, err := expiryField(s)
	if t, ok := f.Get(); ok && err == nil {
		return &t, nil
	}
	return nil, err
}

// metadataOf reads a JSON object.
func metadataOf(s types.String) (map[string]any, error) {
	if s.ValueString() == "" {
		return nil, nil
	}
	d := json.NewDecoder(strings.NewReader(s.ValueString()))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil || m == nil {
		return nil, fmt.Errorf("want a JSON object, as jsonencode({...}) makes one")
	}
	return m, nil
}

// jsonOf writes the metadata of a key.
func jsonOf(m map[string]any) string {
	text, err := json.Marshal(m)
	if err != nil {
		return "{}"
	}
	return string(text)
}

// split reads the two parts of an import id, "a/b". With one part the first is the default.
func split(id, defaultFirst string) (first, second string, ok bool) {
	first, second, cut := strings.Cut(id, "/")
	if !cut {
		first, second = defaultFirst, id
	}
	return first, second, first != "" && second != ""
}
