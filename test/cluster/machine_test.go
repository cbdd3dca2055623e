package cluster_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// machine tells a machine that stood still from a fault of a node: it notes when a short sleep, or a write to the disk,
// took a quarter of the staleness too long. A node that hears nothing for the staleness says 503, as it should.
type machine struct {
	file  *os.File
	still []time.Time // when such a pause ended
}

func watchMachine(t *testing.T) *machine {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return &machine{file: f}
}

// look takes one measurement.
func (m *machine) look() {
	const nap = 20 * time.Millisecond
	start := time.Now()
	time.Sleep(nap)
	_, err := m.file.WriteAt([]byte("x"), 0)
	if err == nil {
		err = m.file.Sync()
	}
	if end := time.Now(); err != nil || end.Sub(start) > nap+staleness/4 {
		m.still = append(m.still, end)
	}
}

// stood tells whether the machine stood still shortly before, or just after.
func (m *machine) stood(at time.Time) bool {
	for _, end := range m.still {
		if d := at.Sub(end); d < 2*staleness && d > -staleness {
			return true
		}
	}
	return false
}
