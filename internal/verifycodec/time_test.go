package verifycodec_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/verifycodec"
	"github.com/keyward/keyward/internal/wire"
)

func sameTime(t interface{ Fatalf(string, ...any) }, ms int64) {
	want := `"` + time.UnixMilli(ms).UTC().Format(wire.TimeForm) + `"`
	if got := string(verifycodec.AppendTime(nil, ms)); got != want {
		t.Fatalf("%d: %s, want %s", ms, got, want)
	}
}

func TestATimeIsWrittenAsTheLibraryWritesIt(t *testing.T) {
	t.Parallel()
	const day = 86_400_000
	first, last := time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10_001, 1, 1, 0, 0, 0, 0, time.UTC)
	for year := first.Year(); year <= last.Year(); year++ { // the turns of years, and of February
		for _, d := range []time.Time{time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC),
			time.Date(year, 3, 1, 0, 0, 0, 0, time.UTC)} {
			for _, ms := range []int64{-day - 1, -day, -1, 0, 1, day - 1} {
				sameTime(t, d.UnixMilli()+ms)
			}
		}
	}
	for at := time.Date(1995, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(); at < time.Date(2105, 1, 1, 0, 0, 0, 0,
		time.UTC).UnixMilli(); at += day {
		sameTime(t, at)
	}
	rapid.Check(t, func(t *rapid.T) { sameTime(t, rapid.Int64Range(first.UnixMilli(), last.UnixMilli()).Draw(t, "ms")) })
}
