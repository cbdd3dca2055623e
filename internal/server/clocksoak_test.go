package server_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/server"
)

// T103: the clock is stepped both ways at random, while the server runs and while it is stopped. A jump ahead counts
// while it lasts, as it is provisional; a clock that is behind is not followed. Nothing is lost by either.
// KEYWARD_SOAK_CLOCK is the number of steps.
func TestT103RandomStepsOfTheClockTakeNothingAway(t *testing.T) {
	t.Parallel()
	steps := 8
	if n, err := strconv.Atoi(os.Getenv("KEYWARD_SOAK_CLOCK")); err == nil {
		steps = n
	}
	const day = 24 * time.Hour
	cfg := settings(t)
	var wall steppable
	s, stop := start(t, cfg, server.Options{Now: wall.now})
	c := client(t, s, s.Minted().Reveal())
	root := s.Minted().Reveal()
	ws, _, _, _ := expiring(t, c)
	began := time.Now()
	lives := map[time.Duration]keyward.Secret{0: {}, 5 * day: {}, 90 * day: {}, 2 * years: {}}
	for life := range lives {
		req := keyward.CreateKeyRequest{WorkspaceID: ws, UserID: "ada", Name: life.String()}
		if end := began.Add(life); life > 0 {
			req.ExpiresAt = &end
		}
		k, err := c.CreateKey(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		lives[life] = k.Key
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	offsets := []time.Duration{
		0, 0, 3 * time.Hour, 2 * day, 30 * day, 365 * day, 4 * years, -10 * time.Second, -time.Hour, -365 * day,
	}
	for step := range steps {
		to := offsets[random.IntN(len(offsets))]
		if step == steps-1 {
			to = 0
		}
		restart := random.IntN(3) == 0
		if restart {
			if err := stop(); err != nil {
				t.Fatal(err)
			}
		}
		wall.by.Store(int64(to))
		if restart {
			s, stop = start(t, cfg, server.Options{Now: wall.now})
			c = client(t, s, root)
		}
		ahead := max(to, 0)
		for life, value := range lives {
			want := "VALID"
			if life > 0 && ahead > life {
				want = "EXPIRED"
			}
			if got := verdictOf(t, c, value); got != want {
				t.Fatalf(
					"seed %d, step %d: the clock is %v off (restart: %t), and a key for %v is %s, want %s", seed, step, to, restart,
					life, got, want,
				)
			}
		}
		_, err := c.UpdateWorkspace(t.Context(), ws, keyward.WorkspaceUpdate{Name: keyward.Set("step " + strconv.Itoa(step))})
		if err != nil {
			t.Fatalf("seed %d, step %d: a change while the clock is %v off: %v", seed, step, to, err)
		}
	}
	if n := earlierValues(t, c, ws)["k"]; n != 1 && time.Since(began) < 50*time.Minute {
		t.Errorf("seed %d: %d earlier values are left, want the one that is in its overlap", seed, n)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
