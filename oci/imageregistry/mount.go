package imageregistry

import "net/http"

// mount makes a blob of another repository one of this, if whoever asks may read it there. Nobody learns why it didn't.
func (r *Registry) mount(req *http.Request, into, digest, from string) bool {
	if !isDigest(digest) {
		return false
	}
	sources := []string{from}
	if from == "" {
		sources = r.names(digest)
	}
	for _, source := range sources {
		a := Access{Action: MountFrom, Repository: source, Resource: Blob, Reference: digest}
		if isName(source) && r.authorize(req, a) == nil && r.link(into, source, digest) {
			return true
		}
	}
	return false
}
