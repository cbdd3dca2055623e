package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/text"
)

const (
	importKeys  = 1000       // most keys in a request
	importBytes = 900 << 10  // most bytes of them: a request holds 1 MiB
	importLine  = 64<<10 - 1 // longest line
)

type keysImport struct {
	remote
	File string `arg:"" placeholder:"FILE" help:"NDJSON, one key on each line; - is standard input."`
	inWorkspace
}

func (keysImport) Help() string {
	return `Each line is a JSON object with userId and name, and where wanted permissions, environment, expiresAt, rateLimit, description,
metadata, allowedIps, isActive. With sha256 (64 hexadecimal digits of the SHA-256 of the whole value) people go on using the
value that they have, whatever its form; maskedKey says how it is shown. Other digests are written as digest: {"algorithm": "sha256",
"sha512" or "hmac-sha256", "value", "encoding": "hex" or "base64", "secret"}, where secret is a name in KEYWARD_IMPORT_SECRETS of the
server. With rehash: true our own digest takes the imported one's place after the first use. With generate: true a value is made.

  {"userId": "ada", "name": "CI", "sha256": "9f86d081…", "maskedKey": "acme_AbC…9xYz"}
  {"userId": "ada", "name": "ERP", "digest": {"algorithm": "hmac-sha256", "encoding": "base64", "value": "q83v…", "secret": "crm"}}
  {"userId": "bob", "name": "new", "permissions": ["calls:read"], "generate": true}

What came in is printed as NDJSON: {"line", "id", "key"}, the key where it was minted, this once. What did not is said on standard
error with its line; the rest stands.`
}

// Run imports keys, a request for as many as fit.
func (c *keysImport) Run(ctx context.Context, a *app) (err error) {
	client, err := c.enter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	in := a.In
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	i := importer{a: a, client: client, workspace: c.Workspace, out: json.NewEncoder(a.Out)}
	if err := i.run(ctx, in); err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "%d imported, %d refused\n", i.imported, i.refused)
	if i.refused > 0 {
		return status(exitFailure)
	}
	return nil
}

type importer struct {
	a         *app
	client    *keyward.Client
	workspace string
	out       *json.Encoder

	keys              []keyward.ImportKey
	lines             []int // of keys
	size              int
	imported, refused int
}

func (i *importer) run(ctx context.Context, in io.Reader) error {
	s := bufio.NewScanner(in)
	s.Buffer(nil, importLine)
	for n := 1; s.Scan(); n++ {
		line := bytes.TrimSpace(text.WithoutBOM(s.Bytes()))
		if len(line) == 0 {
			continue
		}
		k, err := importedKey(line)
		if err != nil {
			i.refuse(n, err.Error())
			continue
		}
		if len(i.keys) == importKeys || i.size+len(line) > importBytes {
			if err := i.send(ctx); err != nil {
				return err
			}
		}
		i.keys, i.lines, i.size = append(i.keys, k), append(i.lines, n), i.size+len(line)
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("read the keys: %w", err)
	}
	return i.send(ctx)
}

func importedKey(line []byte) (k keyward.ImportKey, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&k); err != nil {
		return k, err
	}
	if d.More() {
		return k, errors.New("more than one object")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return k, err
	}
	for _, name := range []string{"sha256", "digest", "maskedKey"} {
		if v := string(members[name]); v == `""` || v == "null" || v == "{}" {
			return k, fmt.Errorf(
				"%s: is empty", name,
			) // what is left out and what is empty are two things, and the client sends neither
		}
	}
	return k, nil
}

func (i *importer) send(ctx context.Context) error {
	if len(i.keys) == 0 {
		return nil
	}
	done, err := i.client.ImportKeys(ctx, keyward.ImportKeysRequest{WorkspaceID: i.workspace, APIKeys: i.keys})
	if err != nil {
		return fmt.Errorf("lines %d to %d: %w", i.lines[0], i.lines[len(i.lines)-1], err)
	}
	for _, k := range done.Imported {
		i.imported++
		answer := struct {
			Line int    `json:"line"`
			ID   string `json:"id"`
			Key  string `json:"key,omitempty"`
		}{i.line(k.Index), k.ID, k.Key.Reveal()}
		if err := i.out.Encode(answer); err != nil {
			return err
		}
	}
	for _, e := range done.Errors {
		i.refuse(i.line(e.Index), visible(string(e.Code))+details(e.Details))
	}
	i.progress()
	i.keys, i.lines, i.size = i.keys[:0], i.lines[:0], 0
	return nil
}

func (i *importer) line(index int) int {
	if index < 0 || index >= len(i.lines) {
		return 0
	}
	return i.lines[index]
}

func (i *importer) refuse(line int, why string) {
	i.refused++
	fmt.Fprintf(i.a.Err, "line %d: %s\n", line, why)
}

// progress says on a terminal how far it is.
func (i *importer) progress() {
	if isTerminal(i.a.Err) && !isTerminal(i.a.Out) {
		fmt.Fprintf(i.a.Err, "\r%d imported, %d refused\r", i.imported, i.refused)
	}
}
