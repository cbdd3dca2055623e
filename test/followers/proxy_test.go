package followers_test

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// What a replayer does wrong.
const (
	replays  = "replay"  // it answers questions for a page with an earlier page
	buffers  = "buffer"  // it holds answers back
	conflict = "reload"  // it says that the history is another one
	doubles  = "doubles" // it sends questions about limits and uses twice, and old ones again
)

// replayer is a proxy that goes wrong: it holds answers back, or answers with an earlier one.
type replayer struct {
	to      string
	wrong   atomic.Pointer[string] // nil while it does right
	mu      sync.Mutex
	kept    [][]byte // answers to questions for a page
	letters []letter
}

// letter is a question about limits or uses.
type letter struct {
	path, token string
	body        []byte
}

func (p *replayer) does(what string) bool {
	wrong := p.wrong.Load()
	return wrong != nil && *wrong == what
}

// during has the proxy do wrong for a while.
func (p *replayer) during(what string, span time.Duration) {
	p.wrong.Store(&what)
	time.Sleep(span)
	p.wrong.Store(nil)
}

func (p *replayer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page := r.URL.Path == "/api/v2/feed"
	switch {
	case page && p.does(replays):
		p.mu.Lock()
		kept := p.kept[len(p.kept)-1]
		p.mu.Unlock()
		time.Sleep(limit / 5) // longer than it says that it was held
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = w.Write(kept)
		return
	case page && p.does(conflict):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"error":{"code":"conflict","message":"the history is another one"}}`)
		return
	}
	asked, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if r.Method == http.MethodPost && p.does(doubles) {
		p.again(letter{r.URL.Path, r.Header.Get("Authorization"), asked})
	}
	p.pass(w, r, asked, page)
}

// pass passes a question on, and its answer back.
func (p *replayer) pass(w http.ResponseWriter, r *http.Request, asked []byte, page bool) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+p.to+r.URL.String(), bytes.NewReader(asked))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header = r.Header.Clone()
	out.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if page && resp.StatusCode == http.StatusOK && bytes.Contains(body, []byte(`"cursor"`)) {
		p.mu.Lock()
		if p.kept = append(p.kept, body); len(p.kept) > 100 {
			p.kept = p.kept[1:]
		}
		p.mu.Unlock()
		if p.does(buffers) {
			time.Sleep(limit * 9 / 10)
		}
	}
	for _, name := range []string{"Content-Type", "Retry-After"} {
		w.Header().Set(name, resp.Header.Get(name))
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(body)
}

// again sends a question before it is passed on, and then the oldest that is known.
func (p *replayer) again(one letter) {
	p.mu.Lock()
	if p.letters = append(p.letters, one); len(p.letters) > 100 {
		p.letters = p.letters[1:]
	}
	oldest := p.letters[0]
	p.mu.Unlock()
	for _, l := range []letter{one, oldest} {
		r, err := http.NewRequest(http.MethodPost, "http://"+p.to+l.path, bytes.NewReader(l.body))
		if err != nil {
			continue
		}
		r.Header.Set("Authorization", l.token)
		r.Header.Set("Content-Type", "application/json")
		if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}
}
