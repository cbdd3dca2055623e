package lease

import "fmt"

// Mode says how nodes share the minutes of keys.
type Mode uint8

// The modes. All of them hold "at most N in any 60 seconds"; Local holds it for each node by itself.
const (
	Leased Mode = iota // a node takes a share from Redis and spends it in memory
	Exact              // every verification asks Redis
	Local              // nodes do not share
)

// ParseMode reads "leased", "exact" or "local".
func ParseMode(s string) (Mode, error) {
	switch s {
	case "leased":
		return Leased, nil
	case "exact":
		return Exact, nil
	case "local":
		return Local, nil
	}
	return 0, fmt.Errorf("%q: want leased, exact or local", s)
}

// String gives the text that ParseMode reads.
func (m Mode) String() string {
	return [...]string{Leased: "leased", Exact: "exact", Local: "local"}[m]
}

// Policy decides about a key with a minute limit while Redis cannot be asked, once the last lease is spent or over.
type Policy uint8

// The policies.
const (
	Share  Policy = iota // each node admits the limit divided by the number of nodes that were last seen
	Open                 // everything is admitted
	Closed               // nothing is
)

// ParsePolicy reads "share", "open" or "closed".
func ParsePolicy(s string) (Policy, error) {
	switch s {
	case "share":
		return Share, nil
	case "open":
		return Open, nil
	case "closed":
		return Closed, nil
	}
	return 0, fmt.Errorf("%q: want share, open or closed", s)
}

// String gives the text that ParsePolicy reads.
func (p Policy) String() string {
	return [...]string{Share: "share", Open: "open", Closed: "closed"}[p]
}
