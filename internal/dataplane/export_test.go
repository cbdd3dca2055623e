package dataplane

// Head is the content of a plain head.
type Head struct {
	Size, Body       int
	Batch, Check     bool
	Token, RequestID string
	Query            string
	Fields           [][2]string // of a check, but for Host, Connection and X-Request-Id
}

// Read reports whether the bytes at the front of a connection are a plain head, and its content.
func Read(b []byte) (whole bool, odd bool, read Head) {
	var h head
	s := parse(b, &h)
	read = Head{
		Size: h.size, Body: h.body, Batch: h.batch, Check: h.check, Token: string(h.token), RequestID: string(h.requestID),
		Query: string(h.query),
	}
	for _, f := range h.fields {
		read.Fields = append(read.Fields, [2]string{string(f.name), string(f.value)})
	}
	return s == whole_, s == odd_, read
}

const whole_, odd_ = whole, odd
