package logarchive

import (
	"fmt"

	"github.com/keyward/keyward/internal/audit"
)

// none is the end of no archive.
var none = audit.Cut{Last: audit.Hex([32]byte{})}

// Verify checks that archives follow on each other, from the first event to where the log begins, each as an event
// tells of it: in the log, or in an archive. told are the cuts that the log tells of, oldest first. It counts the
// events.
func Verify(paths []string, told []audit.Cut) (events int64, err error) {
	known := make(map[audit.Cut]bool)
	last := none
	for _, cut := range told {
		known[cut] = true
		last = cut
	}
	var cuts []audit.Cut
	end := none
	for _, path := range paths {
		cut, err := Read(path, func(e *audit.Event) error {
			if e.Type != audit.LogArchived {
				return nil
			}
			c, err := audit.CutOf(e)
			known[c] = true
			return err
		})
		if err == nil && (cut.From != end.To+1 || cut.Before != end.Last) {
			err = fmt.Errorf(
				"it begins with event %d, and event %d follows: name all archives, the oldest first", cut.From, end.To+1,
			)
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		end = cut
		cuts = append(cuts, cut)
		events += cut.To - cut.From + 1
	}
	for i, cut := range cuts {
		if !known[cut] {
			return 0, fmt.Errorf("%s: %w: no event of the log tells of these bytes", paths[i], audit.ErrSegment)
		}
	}
	if end != last {
		return 0, fmt.Errorf(
			"the archives end with event %d, and the log begins after event %d: name all archives", end.To, last.To,
		)
	}
	return events, nil
}
