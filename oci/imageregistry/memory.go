package imageregistry

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// DefaultMaxBytes is how much a registry holds unless WithMaxBytes says otherwise.
const DefaultMaxBytes = 2 << 30

// WithMaxBytes bounds what the registry holds: the bytes of blobs, manifests and uploads, those that are being received or sent included, and 1 KiB for each
// blob, manifest, tag and upload. A mounted blob's bytes count once. Go's own slack comes on top. What doesn't fit is refused: 413, DENIED. An upload that nobody
// continued for an hour makes room for others.
func WithMaxBytes(n int64) Option { return func(r *Registry) { r.limit = n } }

const (
	entry    = 1 << 10   // what each thing counts for beside its content: its name, its repository's, its place in maps
	idleLife = time.Hour // of an upload, where room is needed
)

// take counts n bytes more, if there is room. The registry is locked.
func (r *Registry) take(n int64) *Error {
	if n > r.limit-r.used {
		r.dropIdleUploads()
	}
	if n > r.limit-r.used {
		return errorf(http.StatusRequestEntityTooLarge, "DENIED", "the registry is full: it holds at most %d bytes, in memory", r.limit)
	}
	r.used += n
	return nil
}

// give is the opposite of take.
func (r *Registry) give(n int64) { r.used -= n }

// dropIdleUploads is for a registry that is full, which it would slow down if it looked each time.
func (r *Registry) dropIdleUploads() {
	now := time.Now()
	if now.Sub(r.swept) < time.Minute {
		return
	}
	r.swept = now
	for name, repo := range r.repositories {
		for id, up := range repo.uploads {
			if now.Sub(up.used) >= idleLife {
				r.removeUpload(repo, id)
			}
		}
		r.prune(name)
	}
}

// content is what a blob or manifest holds. Its bytes never change, and count until the last that uses it lets go: repositories that have it, and requests that
// are being answered with it.
type content struct {
	bytes []byte
	users int
}

// hold adds a user. The registry is locked.
func (c *content) hold() *content {
	c.users++
	return c
}

// drop is the opposite of hold. The registry is locked.
func (r *Registry) drop(c *content) {
	c.users--
	if c.users == 0 {
		r.give(int64(len(c.bytes)))
	}
}

// sent is drop for who has answered.
func (r *Registry) sent(c *content) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(c)
}

// receive reads a body, of at most limit bytes if that isn't negative. The bytes of what it returns count, and have one user: the caller.
func (r *Registry) receive(req *http.Request, limit int64) (*content, *Error) {
	in := intake{registry: r}
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
		r.sent(c)
		return nil, errorf(http.StatusRequestEntityTooLarge, "SIZE_INVALID", "more than %d bytes", limit)
	case err == nil:
		return c, nil
	case errors.As(err, &full):
		r.sent(c)
		return nil, full.answer
	default:
		r.sent(c)
		return nil, errorf(http.StatusBadRequest, "SIZE_INVALID", "the body ended early")
	}
}

// intake is an io.Writer that counts what it keeps.
type intake struct {
	registry *Registry
	bytes    []byte
}

func (in *intake) Write(p []byte) (int, error) {
	in.registry.mu.Lock()
	full := in.registry.take(int64(len(p)))
	in.registry.mu.Unlock()
	if full != nil {
		return 0, &fullError{full}
	}
	in.bytes = append(in.bytes, p...)
	return len(p), nil
}

// expect fails if a body that is announced won't fit, before anybody sends it. Nothing is kept free for it.
func (in *intake) expect(n int64) error {
	in.registry.mu.Lock()
	defer in.registry.mu.Unlock()
	if n <= 0 {
		return nil
	}
	if full := in.registry.take(n); full != nil {
		return &fullError{full}
	}
	in.registry.give(n)
	return nil
}

// fullError is take's through io.Copy.
type fullError struct{ answer *Error }

func (e *fullError) Error() string { return e.answer.Message }
