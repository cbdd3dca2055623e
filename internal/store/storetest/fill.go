package storetest

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/perm"
)

// fill puts something into every field of a record, never the same twice. A boolean is true in even steps.
func (w *whole) fill(record any, step int) {
	w.t.Helper()
	w.fillValue(reflect.ValueOf(record).Elem(), reflect.TypeOf(record).Elem().Name(), step)
}

func (w *whole) fillValue(v reflect.Value, path string, step int) {
	w.t.Helper()
	w.n++
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = w.now.Add(time.Duration(w.n) * time.Second) // in the future: an earlier value has to be one that works
		return
	case *time.Duration:
		*p = time.Duration(w.n) * time.Millisecond
		return
	case *netip.Prefix:
		*p = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(w.n >> 8), byte(w.n), 0}), 24)
		return
	case *perm.Set:
		all := catalogue.Names(catalogue.All())
		*p = catalogue.Known([]string{all[w.n%len(all)]})
		return
	case *[]byte:
		*p = []byte(path + strconv.Itoa(w.n))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		w.fillValue(v.Elem(), path, step)
	case reflect.Struct:
		for i := range v.NumField() {
			w.fillValue(v.Field(i), v.Type().Field(i).Name, step)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			w.fillValue(v.Index(i), path, step)
		}
	case reflect.String:
		v.SetString(path + strconv.Itoa(w.n))
	case reflect.Bool:
		v.SetBool(step%2 == 0)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(int64(w.n))
	case reflect.Array:
		sum := sha256.Sum256([]byte(strconv.Itoa(w.n)))
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Len() == len(sum) {
			v.Set(reflect.ValueOf(sum).Convert(v.Type()))
			return
		}
		fallthrough
	default:
		w.t.Fatalf("%s is a %s: say here how it is filled", path, v.Type())
	}
}

// gather notes the content of every field by its path; a list is one field.
func gather(record any, contents map[string][]string) {
	gatherValue(reflect.ValueOf(record).Elem(), "", contents)
}

func gatherValue(v reflect.Value, path string, contents map[string][]string) {
	_, isTime := v.Interface().(time.Time)
	_, isSet := v.Interface().(perm.Set)
	if v.Kind() != reflect.Struct || isTime || isSet {
		contents[path] = append(contents[path], fmt.Sprint(v.Interface()))
		return
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		inner := field.Name
		if path != "" {
			inner = path + "." + field.Name
		}
		if field.Anonymous {
			inner = path
		}
		gatherValue(v.Field(i), inner, contents)
	}
}
