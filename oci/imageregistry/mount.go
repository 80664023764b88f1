package imageregistry

import (
	"net/http"
	"slices"
)

// mount makes a blob of another repository one of this, if whoever asks may read it there. Nobody learns why it didn't.
func (r *Registry) mount(req *http.Request, into, digest, from string) bool {
	if !isDigest(digest) {
		return false
	}
	sources := []string{from}
	if from == "" {
		sources = r.holders(digest)
	}
	for _, source := range sources {
		a := Access{Action: MountFrom, Repository: source, Resource: Blob, Reference: digest}
		if isName(source) && r.authorize(req, a) == nil && r.link(into, source, digest) {
			return true
		}
	}
	return false
}

// holders are the repositories that have a blob.
func (r *Registry) holders(digest string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for name, repo := range r.repositories {
		if repo.blobs[digest] != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// link gives a repository another one's blob.
func (r *Registry) link(into, source, digest string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	repo := r.repositories[source]
	return repo != nil && repo.blobs[digest] != nil && r.putBlob(into, digest, repo.blobs[digest]) == nil
}
