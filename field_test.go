package keyward_test

import (
	"encoding/json"
	"testing"

	"github.com/keyward/keyward"
)

func TestAFieldIsAbsentNullOrAValueOnTheWayOutAndBack(t *testing.T) {
	t.Parallel()
	type holder struct {
		Name keyward.Field[string] `json:"name,omitzero"`
	}
	tests := []struct {
		field    keyward.Field[string]
		json     string
		hasValue bool
	}{
		{keyward.Field[string]{}, `{}`, false},
		{keyward.Null[string](), `{"name":null}`, false},
		{keyward.Set(""), `{"name":""}`, true},
		{keyward.Set("a"), `{"name":"a"}`, true},
	}
	for _, test := range tests {
		data, err := json.Marshal(holder{test.field})
		if err != nil || string(data) != test.json {
			t.Errorf("%v became %s, %v; want %s", test.field, data, err, test.json)
		}
		var back holder
		if err := json.Unmarshal(data, &back); err != nil || back.Name != test.field {
			t.Errorf("%s became %v, %v; want %v", data, back.Name, err, test.field)
		}
		value, ok := back.Name.Get()
		want, _ := test.field.Get()
		if ok != test.hasValue || value != want || back.Name.IsNull() != (test.json == `{"name":null}`) {
			t.Errorf("%s holds %q, %v", data, value, ok)
		}
	}
	var wrong holder
	if err := json.Unmarshal([]byte(`{"name":1}`), &wrong); err == nil {
		t.Errorf("a number became %v", wrong)
	}
}
