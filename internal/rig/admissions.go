package rig

import (
	"slices"
	"time"
)

// Admission is a question to a limit that was answered yes: the units were spent at an instant between the two.
type Admission struct{ Start, End time.Time }

// Most is the largest number of admissions that lie, with certainty, within one interval.
func Most(all []Admission, interval time.Duration) (most int) {
	all = slices.SortedFunc(slices.Values(all), func(a, b Admission) int { return a.Start.Compare(b.Start) })
	for i := range all {
		end, n := all[i].Start.Add(interval), 0
		for _, a := range all[i:] {
			if !a.Start.Before(end) {
				break
			}
			if a.End.Before(end) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}
