package server

import (
	"fmt"
	"io"

	"github.com/keyward/keyward/internal/keyfmt"
)

// notice is the text for an operator who has just started a server. program is the way in which the command was called,
// so that its commands work as pasted. The root key is there once, on a line of its own.
func notice(w io.Writer, program, url, listens, database string, minted, link keyfmt.Secret) {
	fmt.Fprintf(w, "Keyward is at %s\n", url)
	if listens != url {
		fmt.Fprintf(w, "  listens at %s\n", listens)
	}
	fmt.Fprintf(w, "  reference  %s/docs\n", url)
	fmt.Fprintf(w, "  database   %s\n\n", database)
	token, key := "'<a service key>'", ""
	if !minted.IsZero() {
		token = "\\\n" + minted.Reveal()
		key = "\nThe token is the root key, shown this once: keep it where you keep private keys.\n"
	}
	if !link.IsZero() {
		fmt.Fprintf(
			w, "Sign in as the root, once and within ten minutes:\n\n  %s/signin/link?code=%s\n\n", url, link.Reveal(),
		)
	}
	fmt.Fprintf(w, `What to do next, in another terminal:

  export KEYWARD_URL=%s
  export KEYWARD_TOKEN=%s
%s
  %s workspaces create Acme --owner ada --email ada@example.com

or without the command:

  curl -sS $KEYWARD_URL/api/v2/workspaces -H "Authorization: Bearer $KEYWARD_TOKEN" -H 'Content-Type: application/json' \
    -d '{"name": "Acme", "owner": {"userId": "ada", "email": "ada@example.com"}}'

`, url, token, key, program)
}
