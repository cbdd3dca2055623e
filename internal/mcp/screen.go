package mcp

import (
	"context"
	"io"
	"net/http"
	"regexp"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
)

// withheld stands in an answer where a credential stood.
const withheld = "[withheld: a credential]"

var tokens = regexp.MustCompile(session.Pattern)

// screened is a text without whole credentials of ours. It is the last step before an answer leaves, and looks at
// errors and at names that a client sent as at everything else.
func screened(b []byte) []byte {
	if !session.Leaks(string(b)) {
		return b
	}
	text := string(b)
	for {
		from, to := keyfmt.Find(text)
		if from < 0 {
			break
		}
		text = text[:from] + withheld + text[to:]
	}
	return []byte(tokens.ReplaceAllString(text, withheld))
}

// screenWriter screens what is written. The SDK writes each message whole.
type screenWriter struct{ io.Writer }

func (w screenWriter) Write(b []byte) (int, error) {
	if _, err := w.Writer.Write(screened(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close leaves the stream open: it belongs to the process.
func (screenWriter) Close() error { return nil }

// screenResponse does the same for an answer over HTTP.
type screenResponse struct{ http.ResponseWriter }

func (w screenResponse) Write(b []byte) (int, error) { return screenWriter{w.ResponseWriter}.Write(b) }

// Flush sends what is there.
func (w screenResponse) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap gives the writer below, for its deadlines.
func (w screenResponse) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Serve answers one client over a pair of streams, until the input ends and every request has its answer.
func Serve(ctx context.Context, o Options, in io.Reader, out io.Writer) error {
	open := &pending{}
	return NewServer(o).Run(ctx, &sdk.IOTransport{
		Reader: &countedInput{Reader: in, pending: open}, Writer: countedOutput{screenWriter{out}, open},
	})
}
