package imageregistry

import (
	"bytes"
	"net/http"
	"time"
)

// blob serves a repository's blob, or deletes it.
func (r *Registry) blob(w http.ResponseWriter, req *http.Request, a Access) *Error {
	r.mu.Lock()
	repo := r.repositories[a.Repository]
	switch {
	case repo == nil:
		r.mu.Unlock()
		return unknownName(a.Repository)
	case repo.blobs[a.Reference] == nil:
		r.mu.Unlock()
		return errorf(http.StatusNotFound, "BLOB_UNKNOWN", "there is no blob %s in repository %s", a.Reference, a.Repository)
	case a.Action == Delete:
		r.removeBlob(repo, a.Reference)
		r.prune(a.Repository)
		r.mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	c := repo.blobs[a.Reference].hold()
	r.mu.Unlock()
	defer r.sent(c)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Docker-Content-Digest", a.Reference)
	http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(c.bytes)) // ranges too
	return nil
}
