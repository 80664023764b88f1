package ecrtest

import (
	"bytes"
	"context"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// newOCI is ggcr's registry for one repository: each has its own, because ggcr keeps the blobs of all repositories of a
// registry in one pool.
func newOCI(blobs blobStore) http.Handler {
	return ggcr.New(ggcr.Logger(discard), ggcr.WithReferrersSupport(true), ggcr.WithBlobHandler(blobs))
}

// blobStore holds a repository's blobs by digest. The server's mutex guards it.
type blobStore map[string][]byte

// Get implements ggcr.BlobHandler.
func (b blobStore) Get(_ context.Context, _ string, h v1.Hash) (io.ReadCloser, error) {
	blob, ok := b[h.String()]
	if !ok {
		return nil, ggcr.ErrNotFound
	}
	return blobReader{bytes.NewReader(blob)}, nil
}

// Stat implements ggcr.BlobStatHandler.
func (b blobStore) Stat(_ context.Context, _ string, h v1.Hash) (int64, error) {
	blob, ok := b[h.String()]
	if !ok {
		return 0, ggcr.ErrNotFound
	}
	return int64(len(blob)), nil
}

// Put implements ggcr.BlobPutHandler. Reading fails when the blob hasn't the digest.
func (b blobStore) Put(_ context.Context, _ string, h v1.Hash, rc io.ReadCloser) error {
	blob, err := io.ReadAll(rc)
	if err != nil {
		return fmt.Errorf("blob %s: %w", h, err)
	}
	b[h.String()] = blob
	return nil
}

// blobReader can be read at any offset, which ggcr uses for ranges.
type blobReader struct{ *bytes.Reader }

func (blobReader) Close() error { return nil }

// upload is a layer upload in progress.
type upload struct {
	started bool // ggcr knows of it: a PATCH came
	size    int
	hash    hash.Hash // SHA-256 of what came
}

// open makes the repository ready for a push.
func (r *repository) open() {
	if r.oci == nil {
		r.images, r.uploads, r.blobs = map[string]*image{}, map[string]*upload{}, blobStore{}
		r.oci = newOCI(r.blobs)
	}
}

// do passes a request on to ggcr's registry.
func (r *repository) do(req *http.Request, body []byte) response {
	r.open()
	inner := req.Clone(req.Context())
	inner.Body = io.NopCloser(bytes.NewReader(body))
	inner.ContentLength = int64(len(body))
	inner.Header.Del("Authorization")
	w := &buffer{header: http.Header{}}
	r.oci.ServeHTTP(w, inner)
	resp := response{status: w.status, header: w.header, body: w.body.Bytes()}
	if resp.status == 0 {
		resp.status = http.StatusOK
	}
	return resp
}

// deleteManifest removes a tag or digest from ggcr's registry.
func (r *repository) deleteManifest(reference string) {
	_ = r.do(&http.Request{Method: http.MethodDelete, Header: http.Header{},
		URL: &url.URL{Path: "/v2/" + r.name + "/manifests/" + reference}}, nil) // it is there, or was deleted already
}

// buffer is an http.ResponseWriter that keeps the answer.
type buffer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (b *buffer) Header() http.Header { return b.header }

func (b *buffer) Write(p []byte) (int, error) {
	if b.status == 0 {
		b.status = http.StatusOK
	}
	return b.body.Write(p)
}

func (b *buffer) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}
