package webhook

import "context"

// IdleAtOnce is idleAtOnce.
const IdleAtOnce = idleAtOnce

// QueueAtOnce is queueAtOnce.
const QueueAtOnce = queueAtOnce

// Step renews the lease and runs one step.
func (s *Sender) Step(ctx context.Context) error {
	if err := s.renew(ctx, true); err != nil {
		return err
	}
	return s.step(ctx)
}
