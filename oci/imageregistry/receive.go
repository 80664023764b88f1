package imageregistry

import (
	"errors"
	"io"
	"net/http"
)

// maxDiscarded is how much is read of what doesn't fit: a client that is sending when the connection ends doesn't see the answer, and
// net/http ends it after 256 KiB.
const maxDiscarded = 64 << 20

// receive reads a body, of at most limit bytes if that isn't negative. The bytes of what it returns count, and have one user: the caller.
func (s *store) receive(req *http.Request, limit int64) (*content, *Error) {
	in := intake{store: s}
	body := io.Reader(req.Body)
	switch {
	case req.Body == nil:
		body = http.NoBody
	case limit >= 0:
		body = io.LimitReader(body, limit+1)
	}
	err := in.expect(req.ContentLength)
	if err == nil {
		_, err = io.Copy(&in, body)
	}
	c := &content{bytes: in.bytes, users: 1}
	var full *fullError
	switch {
	case err == nil && limit >= 0 && int64(len(c.bytes)) > limit:
		s.sent(c)
		return nil, errorf(http.StatusRequestEntityTooLarge, "SIZE_INVALID", "more than %d bytes", limit)
	case err == nil:
		return c, nil
	case errors.As(err, &full):
		s.sent(c)
		_, _ = io.CopyN(io.Discard, body, maxDiscarded)
		return nil, full.answer
	default:
		s.sent(c)
		return nil, errorf(http.StatusBadRequest, "SIZE_INVALID", "the body ended early")
	}
}

// intake is an io.Writer that counts what it keeps.
type intake struct {
	store *store
	bytes []byte
}

func (in *intake) Write(p []byte) (int, error) {
	in.store.mu.Lock()
	full := in.store.reserve(int64(len(p)))
	in.store.mu.Unlock()
	if full != nil {
		return 0, &fullError{full}
	}
	in.bytes = append(in.bytes, p...)
	return len(p), nil
}

// expect fails if a body that is announced won't fit, before anybody sends it. Nothing is kept free for it.
func (in *intake) expect(n int64) error {
	in.store.mu.Lock()
	defer in.store.mu.Unlock()
	if n <= 0 {
		return nil
	}
	if full := in.store.reserve(n); full != nil {
		return &fullError{full}
	}
	in.store.give(n)
	return nil
}

// fullError is reserve's through io.Copy.
type fullError struct{ answer *Error }

func (e *fullError) Error() string { return e.answer.Message }
