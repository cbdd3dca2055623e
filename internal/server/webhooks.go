package server

import (
	"math/rand/v2"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/webhook"
)

// makeSender makes the sender of notices to webhooks. It works while this node has the lease.
func (s *Server) makeSender() {
	s.sender = webhook.New(webhook.Config{
		DB: s.db, Digester: s.digester, IDs: s.ids, Purpose: control.WebhookSecrets, Node: s.ids.Next(),
		Networks: s.cfg.WebhookNetworks, Disable: s.control.DisableWebhook, Now: s.opt.Now, Elapsed: s.elapsed,
		Chance: rand.Float64, Log: s.log, Pace: s.opt.Webhooks,
	})
}
