package canonpath_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/keyward/keyward/internal/canonpath"
)

func TestT64WhatHasOneReadingIsTakenAndNothingElse(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]struct{ strict, open bool }{
		"/": {true, true}, "/a": {true, true}, "/v1/calls/42": {true, true}, "/a%2B%40b": {true, true},
		"/a=b+c:d@e": {true, true}, "/...": {true, true},
		"/a/": {false, true}, "/caf%C3%A9": {false, true}, "/caf%c3%a9/x": {false, true},
		"": {}, "a": {}, "*": {}, "//": {}, "//a": {}, "/a//b": {}, "/a//": {}, "/./a": {}, "/a/..": {}, "/a/../b": {},
		"/a/./": {}, "http://h/a": {},
		"/%2e%2e/a": {}, "/.%2e/a": {}, "/a%2fb": {}, "/a%2Fb": {}, "/a%5cb": {}, `/a\b`: {}, "/a;b": {}, "/a%3bb": {},
		"/a%00": {}, "/a%0d%0a": {},
		"/a%20": {false, true}, "/files/My%20Report.pdf": {false, true}, "/%20": {false, true},
		"/caf%C3%A9%20b": {false, true},
		"/.%20":          {}, "/%20..": {}, "/a/..%20%20/b": {}, "/a%2520b": {}, "/a\tb": {}, "/a%09b": {},
		"/a%C2%A0b":                       {false, true},
		"/%22%3C%3E%5B%5D%7B%7D%5E%60%7C": {true, true}, "/%40": {true, true}, "/%2E": {}, "/%7E": {}, "/%2D": {}, "/%5F": {},
		"/a b": {}, "/a%7f": {}, "/%61": {}, "/%2561": {}, "/a%": {}, "/a%2": {}, "/a%zz": {}, "/a%u002f": {},
		"/caf\xc3\xa9": {}, "/a%ff": {}, "/a%c3": {},
		"/a%c0%af": {}, "/a%C2%85": {}, "/a%ed%a0%80": {}, "/a?b": {true, false}, "/a#b": {true, false},
		"/a%3fb": {true, false}, "/a%23": {true, false},
	} {
		if got := canonpath.Strict(path); got != want.strict {
			t.Errorf("strict %q: %v", path, got)
		}
		if got := canonpath.Open(path); got != want.open {
			t.Errorf("open %q: %v", path, got)
		}
	}
}

func FuzzAnOpenPathHasOneReading(f *testing.F) {
	for _, s := range []string{"/a/b%C3%A9", "/%2e", "/a//", "/%25", "/a;b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if !canonpath.Open(path) {
			return
		}
		decoded, err := url.PathUnescape(path)
		if err != nil || !utf8.ValidString(decoded) || strings.ContainsAny(decoded, "%\\;?#\x00") ||
			strings.Contains(decoded, "//") {
			t.Errorf("%q is taken and reads %q, %v", path, decoded, err)
		}
		if strings.Count(decoded, "/") != strings.Count(path, "/") {
			t.Errorf("%q hides a slash", path)
		}
		for segment := range strings.SplitSeq(decoded, "/") {
			if trimmed := strings.Trim(segment, " "); trimmed == "." || trimmed == ".." {
				t.Errorf("%q holds a dot segment", path)
			}
		}
	})
}
