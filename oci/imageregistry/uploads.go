package imageregistry

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// upload serves what there is to do with uploads.
func (r *Registry) upload(w http.ResponseWriter, req *http.Request, a Access) *Error {
	switch req.Method {
	case http.MethodPost:
		return r.startUpload(w, req, a.Repository)
	case http.MethodPatch:
		return r.continueUpload(w, req, a.Repository, a.Reference)
	case http.MethodPut:
		return r.finishUpload(w, req, a.Repository, a.Reference)
	}
	size, err := r.findUpload(a, req.Method == http.MethodDelete)
	if err != nil {
		return err
	}
	if req.Method == http.MethodGet {
		setProgress(w.Header(), a.Repository, a.Reference, size)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// startUpload mounts a blob, takes a whole one, or begins an upload.
func (r *Registry) startUpload(w http.ResponseWriter, req *http.Request, name string) *Error {
	query := req.URL.Query()
	if digest := query.Get("mount"); digest != "" && r.mount(req, name, digest, query.Get("from")) {
		created(w, name, digest)
		return nil
	}
	if digest := query.Get("digest"); digest != "" {
		if !isDigest(digest) {
			return badDigest(digest)
		}
		c, err := r.receive(req, -1)
		if err != nil {
			return err
		}
		if err := checkDigest(digest, c.bytes); err == nil || len(c.bytes) > 0 {
			return r.finishBlob(w, name, digest, c)
		} // else there is no content: it is to follow
	}
	id, err := r.newUpload(name)
	if err != nil {
		return err
	}
	setProgress(w.Header(), name, id, 0)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// continueUpload takes a chunk. One that doesn't come whole changes nothing.
func (r *Registry) continueUpload(w http.ResponseWriter, req *http.Request, name, id string) *Error {
	c, err := r.receiveChunk(req, name, id, false)
	if err != nil {
		return err
	}
	setProgress(w.Header(), name, id, len(c.bytes))
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// finishUpload takes the last chunk, which may be empty, and makes a blob of the upload, which ends even if it isn't what its digest says.
func (r *Registry) finishUpload(w http.ResponseWriter, req *http.Request, name, id string) *Error {
	digest := req.URL.Query().Get("digest")
	if !isDigest(digest) {
		return badDigest(digest)
	}
	c, err := r.receiveChunk(req, name, id, true)
	if err != nil {
		return err
	}
	return r.finishBlob(w, name, digest, c)
}

// finishBlob stores what was received, if it has its digest. The caller's use of the content ends.
func (r *Registry) finishBlob(w http.ResponseWriter, name, digest string, c *content) *Error {
	defer r.sent(c)
	if err := checkDigest(digest, c.bytes); err != nil {
		return err
	}
	if err := r.addBlob(name, digest, c); err != nil {
		return err
	}
	created(w, name, digest)
	return nil
}

func (r *Registry) newUpload(name string) (id string, _ *Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reserve(entry); err != nil {
		return "", err
	}
	id = rand.Text()
	r.open(name).uploads[id] = &upload{(&content{}).hold(), time.Now()}
	return id, nil
}

// findUpload returns how much of an upload came, and removes it if it is cancelled.
func (r *Registry) findUpload(a Access, cancel bool) (size int, _ *Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	up, err := r.uploadOf(a.Repository, a.Reference)
	if err != nil {
		return 0, err
	}
	if cancel {
		r.removeUpload(r.repositories[a.Repository], a.Reference)
		r.prune(a.Repository)
	}
	return len(up.bytes), nil
}

// receiveChunk adds a request's body to an upload, and returns all that came of it. After the last chunk the upload is gone, and its content the caller's.
func (r *Registry) receiveChunk(req *http.Request, name, id string, last bool) (*content, *Error) {
	r.mu.Lock()
	up, err := r.uploadAt(req, name, id, req.ContentLength)
	if err == nil {
		up.used = time.Now() // it isn't what makes room for itself
	}
	r.mu.Unlock()
	if err != nil {
		return nil, err
	}
	chunk, err := r.receive(req, -1)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	up, err = r.uploadAt(req, name, id, int64(len(chunk.bytes))) // others may have come first
	if err != nil {
		r.drop(chunk)
		return nil, err
	}
	if len(up.bytes) > 0 {
		chunk.bytes = append(up.bytes, chunk.bytes...) // both are counted, and nobody else has an upload's
	}
	up.content, up.used = chunk, time.Now()
	if last {
		up.hold()
		r.removeUpload(r.repositories[name], id)
		r.prune(name)
	}
	return chunk, nil
}

// uploadOf finds an upload in its repository, and nowhere else.
func (r *Registry) uploadOf(name, id string) (*upload, *Error) {
	if repo := r.repositories[name]; repo != nil && repo.uploads[id] != nil {
		return repo.uploads[id], nil
	}
	return nil, errorf(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "there is no upload %s in repository %s", id, name)
}

var contentRange = regexp.MustCompile(`^([0-9]{1,18})-([0-9]{1,18})$`)

// uploadAt is uploadOf for a chunk of n bytes, unknown if negative, which has to be the next one if the request says where it belongs.
func (r *Registry) uploadAt(req *http.Request, name, id string, n int64) (*upload, *Error) {
	up, err := r.uploadOf(name, id)
	if err != nil {
		return nil, err
	}
	asked := req.Header.Get("Content-Range")
	if asked == "" {
		return up, nil
	}
	if m := contentRange.FindStringSubmatch(asked); m != nil {
		first, _ := strconv.ParseInt(m[1], 10, 64) // 18 digits
		last, _ := strconv.ParseInt(m[2], 10, 64)
		if first == int64(len(up.bytes)) && (n < 0 || last-first+1 == n) {
			return up, nil
		}
	}
	err = errorf(http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", "the upload has %d bytes, and that isn't its next chunk: %q", len(up.bytes), asked)
	err.Header = http.Header{}
	setProgress(err.Header, name, id, len(up.bytes))
	return nil, err
}

// setProgress says where an upload goes on.
func setProgress(h http.Header, name, id string, size int) {
	h.Set("Location", "/v2/"+name+"/blobs/uploads/"+id)
	h.Set("Range", fmt.Sprintf("0-%d", max(size-1, 0)))
	h.Set("Docker-Upload-Uuid", id)
}

// created is the answer for a blob that is there now.
func created(w http.ResponseWriter, name, digest string) {
	w.Header().Set("Location", "/v2/"+name+"/blobs/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}
