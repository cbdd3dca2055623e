package extauthz

import (
	"strings"
	"sync"
	"sync/atomic"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/keyward/keyward/internal/gateway"
)

// encoded keeps answers as they go over the wire. An answer that lets a request pass says nothing but whose key it is
// and which headers to take off, so that the same is written again and again; writing it takes longer than deciding.
type encoded struct {
	answers atomic.Pointer[sync.Map] // answerOf -> []byte
	size    atomic.Int64
}

// answerOf is all that such an answer depends on.
type answerOf struct{ key, workspace, user, environment, permissions, remove string }

const maxEncoded = 16_384 // answers; then they are gathered anew

// pass returns the answer from parts that were encoded before, if it can.
func (e *encoded) pass(r *authv3.CheckRequest, d *gateway.Decision) *authv3.CheckResponse {
	if d.Verdict.Limits.Any() {
		return pass(r, d) // it says how the limits stand, and is never the same twice
	}
	var of answerOf
	d.Identity(func(name, value string) {
		switch name {
		case gateway.HeaderKeyID:
			of.key = value
		case gateway.HeaderWorkspaceID:
			of.workspace = value
		case gateway.HeaderUserID:
			of.user = value
		case gateway.HeaderEnvironment:
			of.environment = value
		case gateway.HeaderPermissions:
			of.permissions = value
		}
	})
	of.remove = strings.Join(remove(r, d), ",")
	answers := e.answers.Load()
	if known, ok := answers.Load(of); ok {
		return wrapped(known.([]byte))
	}
	whole := pass(r, d)
	if len(of.remove) > maxRemove {
		return whole // the client's own names: not worth a place
	}
	written, err := proto.MarshalOptions{Deterministic: true}.Marshal(whole)
	if err != nil {
		return whole
	}
	if e.size.Add(1) > maxEncoded {
		e.size.Store(0)
		e.answers.Store(&sync.Map{})
		return whole
	}
	answers.Store(of, written)
	return whole
}

const maxRemove = 64 // bytes

// wrapped is a message with these bytes as its encoding: a program writes unknown fields as it read them, and the
// reader sees them as ordinary fields.
func wrapped(written []byte) *authv3.CheckResponse {
	r := &authv3.CheckResponse{}
	r.ProtoReflect().SetUnknown(written)
	return r
}
