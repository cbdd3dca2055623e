package dataplane

// Read tells of bytes at the front of a connection whether they are a plain head, and what is in it.
func Read(b []byte) (whole bool, odd bool, size, body int, batch bool, token, requestID string) {
	var h head
	s := parse(b, &h)
	return s == whole_, s == odd_, h.size, h.body, h.batch, string(h.token), string(h.requestID)
}

const whole_, odd_ = whole, odd
