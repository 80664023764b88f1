package imageregistry

import (
	"bytes"
	"net/http"
	"time"
)

// blob serves a repository's blob, or deletes it.
func (r *Registry) blob(w http.ResponseWriter, req *http.Request, a Access) *Error {
	c, err := r.findBlob(a)
	if err != nil {
		return err
	}
	defer r.sent(c)
	if a.Action == Delete {
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Docker-Content-Digest", a.Reference)
	http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(c.bytes)) // ranges too
	return nil
}

// findBlob returns a blob, held, and deletes it if that is asked for.
func (r *Registry) findBlob(a Access) (*content, *Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	repo := r.repositories[a.Repository]
	if repo == nil {
		return nil, unknownName(a.Repository)
	}
	c := repo.blobs[a.Reference]
	if c == nil {
		return nil, errorf(http.StatusNotFound, "BLOB_UNKNOWN", "there is no blob %s in repository %s", a.Reference, a.Repository)
	}
	c.hold()
	if a.Action == Delete {
		r.removeBlob(repo, a.Reference)
		r.prune(a.Repository)
	}
	return c, nil
}
