package apitest

import "strings"

// route is one path template with the methods that it has.
type route struct {
	template string
	segments []string
	methods  []string
	any      bool // x-keyward-methods: any: what is no method of its own is answered as GET
}

func isParameter(segment string) bool {
	return strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}")
}

// match tells whether a path, cut at its slashes, fits.
func (r route) match(path []string) bool {
	if len(path) != len(r.segments) {
		return false
	}
	for i, s := range r.segments {
		if s != path[i] && (!isParameter(s) || path[i] == "") {
			return false
		}
	}
	return true
}

// before tells which of two routes that fit is meant: the first segment in which one is a literal and the other a
// parameter decides for the literal.
func (r route) before(other route) bool {
	for i, s := range r.segments {
		if a, b := isParameter(s), isParameter(other.segments[i]); a != b {
			return b
		}
	}
	return false
}

// route finds the template of a path.
func (c *Checker) route(path string) (route, bool) {
	segments := strings.Split(path, "/")
	var best route
	found := false
	for _, r := range c.routes {
		if r.match(segments) && (!found || r.before(best)) {
			best, found = r, true
		}
	}
	return best, found
}
