package server

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// slack is the growth of the heap between two collections beyond that of any Go program.
	slack = 24 << 20
	// fewKeys take so little that they change nothing.
	fewKeys = 16 << 20
	// paceEvery is the number of loaded objects after which the pace is set again, so that a load does not take twice
	// the memory that it leaves.
	paceEvery = 1 << 16
)

// paceCollector tells the garbage collector how far the heap may grow: as far as one that holds no keys, and a
// sixteenth of the keys more. The keys' memory has no pointers and costs a collection nothing, but at the default pace
// each byte of it would be allowed another byte of garbage. Few keys change nothing, and nor does anything where the
// operator has set GOGC.
func (s *Server) paceCollector() {
	keys := s.replica.Load().Memory().Total()
	if keys < fewKeys || os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	debug.SetGCPercent(collectorPercent(int64(live[0].Value.Uint64()), keys))
}

// collectorPercent is the GOGC for a heap of so many live bytes, of which so many are keys.
func collectorPercent(live, keys int64) int {
	live = max(live, keys)
	return int(min(100, max(5, 100*(slack+live-keys+keys/16)/live)))
}
