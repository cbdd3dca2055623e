package dashboard

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"
)

// saidCookie carries the sentence about the last change to the next page. No script reads it and no other host sets
// it, so no link puts words into a page.
const saidCookie = "__Host-keyward-said"

const (
	saidLife = 30 * time.Second
	maxSaid  = 3500 // bytes of the cookie; browsers keep 4096 with its name and attributes
	maxUndo  = 60   // ids that fit into it
)

// said is a sentence about the last change, and the form that takes it back.
type said struct {
	Text string `json:"t"`
	Undo *undo  `json:"u,omitempty"`
}

// undo is a form that takes the last change back. Control decides when it is sent, as for every other form.
type undo struct {
	Path   string     `json:"p"`
	Fields [][]string `json:"f"` // name and value
}

// tell sends the browser to another page after a change, with a sentence about it.
func (v *request) tell(path, text string, back *undo) error {
	raw, err := json.Marshal(said{clipped(text), back})
	if err != nil {
		return err
	}
	value := base64.RawURLEncoding.EncodeToString(raw)
	if len(value) > maxSaid && back != nil {
		return v.tell(path, text, nil)
	}
	http.SetCookie(
		v.w,
		&http.Cookie{Name: saidCookie, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
			MaxAge: int(saidLife.Seconds())},
	)
	return v.see(path)
}

// told takes the sentence out of the cookie. A page shows it once, not after a reload too.
func (v *request) told() said {
	var out said
	c, err := v.r.Cookie(saidCookie)
	if err != nil || v.r.Method != http.MethodGet {
		return out
	}
	http.SetCookie(
		v.w,
		&http.Cookie{Name: saidCookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1},
	)
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(raw, &out) != nil {
		return said{}
	}
	return out
}
