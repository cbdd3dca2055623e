package httpapi

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/strictjson"
)

// maxBody bounds the body of a request. Of a larger one another maxSpill is read and thrown away, so that a client
// which writes the whole before it reads sees the refusal and not a broken connection.
const (
	maxBody  = 1 << 20
	maxSpill = 4 << 20
	maxShort = 8 << 10 // of a form, and of what is sent without a credential
)

// most bounds the body of an operation.
func (rt *route) most() int64 {
	if rt.public || rt.body == formBody {
		return maxShort
	}
	return maxBody
}

// decode reads the JSON body as the route declares it.
func (x *exchange) decode(into any) error {
	needed := x.route.body == jsonBody
	data, err := x.readBody("application/json", needed)
	if err != nil {
		return err
	}
	if len(data) == 0 && !needed {
		return nil
	}
	if len(data) > largeBody {
		leave, err := x.decodes().enter(x.ctx())
		if err != nil {
			return err
		}
		defer leave()
	}
	return strictjson.Decode(data, into, x.route.screen)
}

var places = regexp.MustCompile(`\[\d+\]`)

// screen refuses a body that holds a whole credential where the operation takes none. The items of a bulk operation
// stand for themselves: there the control plane refuses the item.
func (rt *route) screen(text string, path func() string) error {
	if !session.Leaks(text) {
		return nil
	}
	at := path()
	kind := places.ReplaceAllString(at, "[]")
	for _, own := range rt.secrets {
		if kind == own || strings.HasSuffix(own, ".*") && strings.HasPrefix(kind, strings.TrimSuffix(own, "*")) {
			return nil
		}
	}
	return fault.Invalid(at, "holds a credential: it must not be kept in plain text")
}

// form reads the form of a standard's operation. Unknown members are passed over and doubled ones refused, as RFC
// 6749 (section 3.2) has it, except those that may be repeated; the second result is the error in words.
func (x *exchange) form(repeatable ...string) (form url.Values, wrong string, err error) {
	data, err := x.readBody("application/x-www-form-urlencoded", true)
	if err != nil {
		return nil, "", err
	}
	form, parseErr := url.ParseQuery(string(data))
	if parseErr != nil {
		return nil, "the form is not well formed", nil
	}
	for name, given := range form {
		if slices.Contains(repeatable, name) {
			continue
		}
		if len(given) > 1 && len(name) <= 64 && plainID(name) {
			return nil, name + " stands more than once", nil
		}
		if len(given) > 1 {
			return nil, "a parameter stands more than once", nil
		}
	}
	return form, "", nil
}

// readBody reads the whole body, which must be of the media type where there is one.
func (x *exchange) readBody(media string, needed bool) ([]byte, error) {
	if x.r.ContentLength == 0 && !needed {
		return nil, nil
	}
	if err := checkMedia(x.r.Header, media); err != nil {
		return nil, err
	}
	most := x.route.most()
	if x.r.ContentLength > most {
		return nil, x.tooLarge(most)
	}
	data, err := io.ReadAll(io.LimitReader(x.r.Body, most+1))
	switch {
	case err != nil:
		return nil, fault.Invalid(strictjson.Body, "could not be read").Because(err)
	case int64(len(data)) > most:
		return nil, x.tooLarge(most)
	}
	return data, nil
}

// tooLarge refuses. A client that waits to be asked for its body is not asked, and one that announces far too much not
// listened to.
func (x *exchange) tooLarge(most int64) error {
	if x.r.Header.Get("Expect") == "" && x.r.ContentLength <= maxBody+maxSpill {
		_, _ = io.CopyN(io.Discard, x.r.Body, maxSpill) // the refusal is the same, however much of it came
	}
	bound := "1 MiB"
	if most == maxShort {
		bound = "8 KiB"
	}
	return fault.New(
		fault.BodyTooLarge, "the body is larger than "+bound,
		fault.Detail{Field: strictjson.Body, Message: "is larger than " + bound},
	)
}

// checkMedia demands the media type by name. Browsers cannot send one of ours across sites without asking first, so
// that this is a fence against forged requests too. Packed bodies are not unpacked.
func checkMedia(h http.Header, media string) error {
	for _, coding := range h.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(coding), "identity") {
			return fault.New(fault.UnsupportedMediaType, "a body is taken without Content-Encoding only",
				fault.Detail{Field: "Content-Encoding", Message: "must be left out"})
		}
	}
	if given := h.Values("Content-Type"); len(given) == 1 && isMedia(given[0], media) {
		return nil
	}
	return fault.New(
		fault.UnsupportedMediaType, "the body must be "+media,
		fault.Detail{Field: "Content-Type", Message: "must be " + media},
	)
}

func isMedia(given, media string) bool {
	got, params, err := mime.ParseMediaType(given)
	if err != nil || got != media {
		return false
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return false
		}
	}
	return true
}
