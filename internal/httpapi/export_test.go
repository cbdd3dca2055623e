package httpapi

import "strings"

// Writes lists the operations that change something, or take a body, and want a credential: method and pattern.
func Writes() []string {
	var out []string
	for _, rt := range (&api{}).routes() {
		if !rt.public && (rt.body != noBody || !strings.HasPrefix(rt.on, "GET ")) {
			out = append(out, rt.on)
		}
	}
	return out
}

// Operations lists all operations: method and pattern.
func Operations() []string {
	var out []string
	for _, rt := range (&api{}).routes() {
		out = append(out, rt.on)
	}
	return out
}

// MostBatches is how many large batches were answered at once on the quick way.
func (d *API) MostBatches() int { return int(d.a.largeBatches.peak.Load()) }

// MostDecoded is how many large bodies were decoded at once, of service keys and of others.
func (d *API) MostDecoded() (services, others int) {
	return int(d.a.largeOfServices.peak.Load()), int(d.a.largeOfOthers.peak.Load())
}
