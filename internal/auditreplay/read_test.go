package auditreplay_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/auditreplay"
)

func TestT103AJournalWhoseTimesFallIsReadInItsOrder(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)
	var lines []string
	for i := range 12 {
		when := at.Add(time.Duration(i) * time.Minute)
		if i < 4 { // by a clock that was three years ahead
			when = when.AddDate(3, 0, 0)
		}
		lines = append(lines, fmt.Sprintf(`{"id":"e%02d","eventType":"x","createdAt":%q}`, i, when.Format(time.RFC3339)))
	}
	for _, order := range []string{"oldest first", "newest first"} {
		all, err := auditreplay.Read(auditreplay.File{Reader: strings.NewReader(strings.Join(lines, "\n"))})
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range all {
			if want := fmt.Sprintf("e%02d", i); string(e.ID) != want {
				t.Errorf("%s: entry %d is %s, want %s", order, i, e.ID, want)
			}
		}
		slices.Reverse(lines)
	}
}
