package images

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// Config says what a Registry stands for.
type Config struct {
	// Account is whose registry it is.
	Account string
	// MountWithoutFrom lets a mount that names no source search all repositories that the caller may download from.
	MountWithoutFrom bool
}

// Registry is what is pushed to one account's registry in one region: at most imageregistry.DefaultMaxBytes. It is safe for concurrent use, but whoever holds a
// Caller has to see to it that nothing else changes meanwhile.
type Registry struct {
	cfg Config
	oci *imageregistry.Registry
}

// New makes an empty registry.
func New(cfg Config) *Registry { return &Registry{cfg, imageregistry.New(ask)} }

// Layer returns the size in bytes of a repository's layer, and whether there is one.
func (r *Registry) Layer(repository, digest string) (size int64, ok bool) {
	resp := r.own(http.MethodHead, repository, "/blobs/"+digest)
	if resp.Status != http.StatusOK {
		return 0, false
	}
	size, err := strconv.ParseInt(resp.Header.Get("Content-Length"), 10, 64)
	return size, err == nil
}

// Delete deletes a tag, or a manifest by its digest with all its tags. There may be none.
func (r *Registry) Delete(repository, reference string) {
	r.own(http.MethodDelete, repository, "/manifests/"+reference)
}

// DeleteRepository deletes all that was pushed to a repository, uploads in progress included. A later one of that name begins empty.
func (r *Registry) DeleteRepository(name string) { r.oci.DeleteRepository(name) }

// own makes a request of the double's own, which nobody has to allow. It doesn't leave the repository, whatever a client calls a layer.
func (r *Registry) own(method, repository, path string) Response {
	req := &http.Request{Method: method, Header: http.Header{}, URL: &url.URL{Path: "/v2/" + repository + path}}
	return r.do(req, nil, func(a imageregistry.Access) *imageregistry.Error {
		if a.Repository != repository {
			return &imageregistry.Error{}
		}
		return nil
	})
}

// decision decides what one request may do.
type decision func(imageregistry.Access) *imageregistry.Error

// decisionKey is where a request's context has its decision.
type decisionKey struct{}

// ask is what the registry of images asks for each request. One that came without a decision is refused.
func ask(r *http.Request, a imageregistry.Access) *imageregistry.Error {
	decide, ok := r.Context().Value(decisionKey{}).(decision)
	if !ok {
		return &imageregistry.Error{}
	}
	return decide(a)
}

// do has the registry of images answer a request.
func (r *Registry) do(req *http.Request, body []byte, decide decision) Response {
	inner := req.Clone(context.WithValue(req.Context(), decisionKey{}, decide))
	inner.Body, inner.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	inner.Header.Del("Authorization")
	w := &buffer{header: http.Header{}}
	r.oci.ServeHTTP(w, inner)
	return w.response()
}
