// Package keyward is the Go client of a Keyward server: API keys that are minted within their creator's permissions,
// verified on every call of the platform that issued them, limited, and revoked at once.
//
// The package owns the wire's types in Go, the transport of a call (authentication, retries, size limits) and the
// errors. It decides nothing: whether a key is good, and who may do what, the server says. It needs the standard
// library alone.
//
//	client, err := keyward.New("https://keys.example.com", keyward.WithToken(os.Getenv("KEYWARD_TOKEN")))
//	verdict, err := client.Verify(ctx, keyward.VerifyRequest{
//		Key:         presented,
//		Permissions: keyward.Demand{All: []string{"calls:read"}},
//	})
//	if err != nil || !verdict.Valid {
//		// refuse: an error is never a yes
//	}
//
// # Absent, null and a value
//
// The server tells a member that is absent (leave it, or take the default) from one that is null (none) and from a
// value. A [Field] does the same: its zero value is absent, [Null] and [Set] make the others.
//
// # Secrets
//
// A key's whole value is answered twice in its life, at creation and at rotation, as a [Secret]: it prints, marshals
// and logs as "[secret]", and Reveal alone gives it. Neither errors nor URLs made here carry a token or a key.
//
// # Retries
//
// A call that was answered 429 or 503 is sent again, after what Retry-After asks and a random pause, where a repetition
// can do no harm: every GET, verifications, introspection, PUT, DELETE, and the creation and rotation of a key, which
// carry an idempotency key. A call for which no connection could be made is sent again, whichever it is; where a
// connection broke before the whole answer was there, a GET, a DELETE, and the creation and rotation of a key alone
// are. See [WithRetry].
package keyward
