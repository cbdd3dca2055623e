package acceptance_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// examined runs doctor with settings, and gives its status and its findings.
func examined(t *testing.T, settings ...string) (int, string) {
	t.Helper()
	c := exec.Command(binary, "doctor", "--json")
	c.Dir = t.TempDir()
	c.Env = settings
	out, _ := c.Output()
	var found []struct{ Level, Subject, What, Why, Do string }
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var lines []string
	for _, f := range found {
		if f.Level != "ok" && f.Subject != "settings" && f.Do == "" {
			t.Errorf("it is not said what to do: %+v", f)
		}
		lines = append(lines, f.Level+" "+f.Subject+" "+f.What)
	}
	return c.ProcessState.ExitCode(), strings.Join(lines, "\n")
}

func TestDoctorComparesItsSettingsWithTheNodes(t *testing.T) {
	t.Parallel()
	database := "KEYWARD_DATABASE_URL=" + pgtest.Database(t)
	made := func() string {
		out, err := exec.Command(binary, "rootkey").Output()
		must(t, err)
		return "KEYWARD_ROOT_KEY=" + strings.TrimSpace(string(out))
	}
	one, other := made(), made()
	_, at, _ := begin(t, database, one, "KEYWARD_PEPPER=c2l4dGVlbi1ieXRlcy1vZi1wZXBwZXI")
	answers(t, at, "/readyz", 200, "ready")
	// The PostgreSQL of the tests runs without fsync, which fails by itself.
	if status, said := examined(t, database, one, "KEYWARD_PEPPER=c2l4dGVlbi1ieXRlcy1vZi1wZXBwZXI"); status != 1 ||
		strings.Contains(said, "fail nodes") ||
		!strings.Contains(said, "ok nodes 1 are alive, and have the same") {
		t.Errorf("alike: status %d:\n%s", status, said)
	}
	status, said := examined(t, database, other, "KEYWARD_PEPPER=YW5vdGhlci1wZXBwZXItb2YtdGhpcy10ZXN0")
	if status != 1 || !strings.Contains(said, "has another rootKey, pepper than the settings here") ||
		!strings.Contains(said, "fail peppers keys were made under") {
		t.Errorf("not alike: status %d:\n%s", status, said)
	}
	for _, subject := range []string{"ok database", "ok descriptors", "ok clock", "ok log"} {
		if !strings.Contains(said, subject) {
			t.Errorf("nothing is said of %q:\n%s", subject, said)
		}
	}
}
