package fault_test

import (
	"errors"
	"testing"

	"github.com/keyward/keyward/internal/fault"
)

// All blames every field once, and ends where an error is about more than the input.
func TestAllBlamesEveryFieldOnce(t *testing.T) {
	t.Parallel()
	name, email := fault.Invalid("name", "is missing"), fault.Invalid("email", "is no address")
	taken := fault.New(fault.Conflict, "there is one", fault.Detail{Field: "name", Message: "is taken"})
	denied := fault.New(fault.PermissionDenied, "no", fault.Detail{Field: "x", Message: "y"})
	broken := errors.New("the disk is full")
	for _, c := range []struct {
		in   []error
		code fault.Code
		want []string
	}{
		{[]error{nil, nil}, "", nil},
		{[]error{nil, name}, fault.InvalidRequest, []string{"name"}},
		{[]error{email, nil, name}, fault.InvalidRequest, []string{"email", "name"}},
		{[]error{name, taken, email}, fault.InvalidRequest, []string{"name", "email"}},
		{[]error{taken, email}, fault.Conflict, []string{"name", "email"}},
		{[]error{denied, email}, fault.PermissionDenied, []string{"x"}},
		{[]error{email, denied, name}, fault.InvalidRequest, []string{"email"}},
		{[]error{broken, email}, fault.Internal, nil},
		{[]error{email, broken}, fault.InvalidRequest, []string{"email"}},
	} {
		err := fault.All(c.in...)
		if c.code == "" {
			if err != nil {
				t.Errorf("%v: %v", c.in, err)
			}
			continue
		}
		f := fault.From(err)
		var fields []string
		for _, d := range f.Details {
			fields = append(fields, d.Field)
		}
		if f.Code != c.code || len(fields) != len(c.want) {
			t.Errorf("%v: %s %v, want %s %v", c.in, f.Code, fields, c.code, c.want)
			continue
		}
		for i := range fields {
			if fields[i] != c.want[i] {
				t.Errorf("%v: %v, want %v", c.in, fields, c.want)
			}
		}
	}
	if len(email.Details) != 1 {
		t.Error("an error that was joined has changed")
	}
}
