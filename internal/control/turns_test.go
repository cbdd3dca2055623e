package control

import (
	"context"
	"testing"
	"time"
)

func TestAtMostTwoSearchesOfAWorkspaceRunAtOnceT105(t *testing.T) {
	t.Parallel()
	s := newSearches(5)
	enter := func(room string) func() {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		leave, err := s.enter(ctx, room)
		if err != nil {
			return nil
		}
		return leave
	}
	first, second := enter("a"), enter("a")
	if first == nil || second == nil || enter("a") != nil {
		t.Fatal("want two turns in a workspace, and no third")
	}
	third := enter("b")
	if third == nil || enter("b") != nil || enter("c") != nil {
		t.Fatal("want three turns in all where there are five readers")
	}
	for _, leave := range []func(){first, second, third} {
		leave()
	}
	if len(s.rooms) != 0 || len(s.all) != 0 {
		t.Errorf("%d rooms and %d turns are left", len(s.rooms), len(s.all))
	}
}
