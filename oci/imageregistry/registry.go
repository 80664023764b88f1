package imageregistry

// A Registry is an http.Handler to be served at the root of a host. It is safe for concurrent use.
type Registry struct {
	authorize Authorize
	store
}

// New makes a registry that asks authorize about each request. There is no default for it: AllowAll is for a registry that is open.
func New(authorize Authorize, opts ...Option) *Registry {
	if authorize == nil {
		panic("imageregistry: no function that authorizes; AllowAll is one")
	}
	r := &Registry{authorize: authorize}
	r.repositories, r.limit = map[string]*repository{}, DefaultMaxBytes
	for _, o := range opts {
		o(r)
	}
	return r
}

// Option changes a registry that New makes.
type Option func(*Registry)

// DefaultMaxBytes is how much a registry holds unless WithMaxBytes says otherwise.
const DefaultMaxBytes = 2 << 30

// WithMaxBytes bounds what the registry holds: the bytes of blobs, manifests and uploads, those that are being received or sent included, and 1 KiB for each
// blob, manifest, tag and upload. A mounted blob's bytes count once. Go's own slack comes on top. What doesn't fit is refused: 413, DENIED. An upload that nobody
// continued for an hour makes room for others.
func WithMaxBytes(n int64) Option { return func(r *Registry) { r.limit = n } }

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
