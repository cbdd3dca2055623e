package cluster_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// machine tells a machine that stood still from a fault of a node: it notes when a short sleep, or a write to the disk,
// took a quarter of the staleness too long. A node that hears nothing for the staleness says 503, as it should.
type machine struct {
	file  *os.File
	mu    sync.Mutex
	still []time.Time // when such a pause ended
}

// watchMachine measures until the test ends. It begins before there is anything to measure for: a pause just before a
// question explains its answer, too.
func watchMachine(t *testing.T) *machine {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{file: f}
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				m.look()
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		looking.Wait()
		_ = f.Close()
	})
	return m
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
		m.mu.Lock()
		defer m.mu.Unlock()
		m.still = append(m.still, end)
	}
}

// stood tells whether the machine stood still shortly before, or just after.
func (m *machine) stood(at time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, end := range m.still {
		if d := at.Sub(end); d < 2*staleness && d > -staleness {
			return true
		}
	}
	return false
}
