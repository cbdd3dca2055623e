package cli

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/keyward/keyward/internal/server"
)

// manager is the service manager that has started this process, told by the protocol of systemd (sd_notify(3)). Where
// there is none, nothing is told.
type manager struct {
	notify   func(state string)
	watchdog time.Duration // how often the manager wants to hear that this process works; 0 for never
}

func newManager() manager {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		interval = 0
	}
	return manager{notify: func(state string) { _, _ = daemon.SdNotify(false, state) }, watchdog: interval}
}

// tell reports the server's state.
func (m manager) tell(s server.State) {
	switch s {
	case server.Serving:
		m.notify(daemon.SdNotifyReady)
	case server.Stopping:
		m.notify(daemon.SdNotifyStopping)
	}
}

// reload says that files are read again, and when that is done.
func (m manager) reload(do func()) {
	m.notify(daemon.SdNotifyReloading)
	do()
	m.notify(daemon.SdNotifyReady)
}

// watch says again and again that this process works, until ctx ends or it is stopped.
func (m manager) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	if m.watchdog == 0 {
		return cancel
	}
	go func() {
		tick := time.NewTicker(m.watchdog / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				m.notify(daemon.SdNotifyWatchdog)
			}
		}
	}()
	return cancel
}
