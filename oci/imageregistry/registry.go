package imageregistry

import (
	"net/http"
	"sync"
	"time"
)

// A Registry is an http.Handler to be served at the root of a host. It is safe for concurrent use.
type Registry struct {
	authorize Authorize

	mu           sync.Mutex
	repositories map[string]*repository // those that hold something
	used, limit  int64                  // bytes
	swept        time.Time              // when idle uploads were looked for
}

// New makes a registry that asks authorize about each request. There is no default for it: AllowAll is for a registry that is open.
func New(authorize Authorize, opts ...Option) *Registry {
	if authorize == nil {
		panic("imageregistry: no function that authorizes; AllowAll is one")
	}
	r := &Registry{authorize: authorize, repositories: map[string]*repository{}, limit: DefaultMaxBytes}
	for _, o := range opts {
		o(r)
	}
	return r
}

// Option changes a registry that New makes.
type Option func(*Registry)

// ServeHTTP implements http.Handler.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	a, err := route(req)
	if err == nil {
		err = r.authorize(req, a)
	}
	if err == nil {
		err = r.serve(w, req, a)
	}
	if err != nil {
		err.write(w, req)
	}
}

// serve carries out what is allowed.
func (r *Registry) serve(w http.ResponseWriter, req *http.Request, a Access) *Error {
	switch a.Resource {
	case Blob:
		return r.blob(w, req, a)
	case Upload:
		return r.upload(w, req, a)
	case Manifest:
		if a.Action == ListReferrers {
			return r.listReferrers(w, req, a)
		}
		return r.manifest(w, req, a)
	}
	switch a.Action {
	case ListTags:
		return r.listTags(w, req, a.Repository)
	case Catalog:
		return r.catalog(w, req)
	default:
		writeBytes(w, req, http.StatusOK, "application/json", []byte("{}"))
		return nil
	}
}

// DeleteRepository drops a repository with all that is in it, uploads that go on included. There may be none.
func (r *Registry) DeleteRepository(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	repo := r.repositories[name]
	if repo == nil {
		return
	}
	for digest := range repo.blobs {
		r.removeBlob(repo, digest)
	}
	for digest := range repo.manifests {
		r.removeManifest(repo, digest)
	}
	for id := range repo.uploads {
		r.removeUpload(repo, id)
	}
	r.prune(name)
}
