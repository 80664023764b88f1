package imageregistry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

const (
	maxManifest  = 4 << 20 // what the specification wants at least
	maxMediaType = 255     // RFC 6838 has 127 for each half
)

// fields are what a registry looks at in a manifest.
type fields struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Config       *descriptor       `json:"config"`
	Layers       []descriptor      `json:"layers"`
	Manifests    []descriptor      `json:"manifests"`
	Subject      *descriptor       `json:"subject"`
	Annotations  map[string]string `json:"annotations"`
}

// descriptor is what fields say about something else.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
}

// manifest serves, stores or deletes a manifest, or deletes a tag.
func (r *Registry) manifest(w http.ResponseWriter, req *http.Request, a Access) *Error {
	if a.Action == Push {
		return r.putManifest(w, req, a)
	}
	digest, m, err := r.findManifest(a)
	if err != nil {
		return err
	}
	defer r.sent(m.content)
	if a.Action == Delete {
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	w.Header().Set("Docker-Content-Digest", digest)
	writeBytes(w, req, http.StatusOK, m.mediaType, m.bytes)
	return nil
}

// findManifest returns a manifest, its content held, and deletes it, or the tag that it was asked by, if that is asked for.
func (r *Registry) findManifest(a Access) (digest string, m manifest, _ *Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	repo := r.repositories[a.Repository]
	if repo == nil {
		return "", m, unknownName(a.Repository)
	}
	digest = a.Reference
	tagged := !isDigest(digest)
	if tagged {
		digest = repo.tags[a.Reference]
	}
	if repo.manifests[digest] == nil {
		return "", m, errorf(http.StatusNotFound, "MANIFEST_UNKNOWN", "there is no manifest %s in repository %s", a.Reference, a.Repository)
	}
	m = *repo.manifests[digest]
	m.hold()
	switch {
	case a.Action != Delete:
	case tagged:
		r.removeTag(repo, a.Reference)
	default:
		r.removeManifest(repo, digest)
		r.prune(a.Repository)
	}
	return digest, m, nil
}

// putManifest stores a manifest whose parts are there.
func (r *Registry) putManifest(w http.ResponseWriter, req *http.Request, a Access) *Error {
	c, err := r.receive(req, maxManifest)
	if err != nil {
		return err
	}
	defer r.sent(c)
	var f fields
	if err := json.Unmarshal(c.bytes, &f); err != nil {
		return errorf(http.StatusBadRequest, "MANIFEST_INVALID", "no manifest: %v", err)
	}
	m := &manifest{content: c, mediaType: req.Header.Get("Content-Type")}
	if m.mediaType == "" {
		m.mediaType = f.MediaType
	}
	if m.mediaType == "" || len(m.mediaType) > maxMediaType {
		return errorf(http.StatusBadRequest, "MANIFEST_INVALID", "no media type: neither a Content-Type nor the field mediaType, or one that is too long")
	}
	if f.Subject != nil {
		m.subject = f.Subject.Digest
		if !isDigest(m.subject) {
			return badDigest(m.subject)
		}
		w.Header().Set("OCI-Subject", m.subject)
	}
	digest, tag := a.Reference, ""
	if !isDigest(digest) {
		digest, tag = canonicalDigest(c.bytes), a.Reference
	} else if err := checkDigest(digest, c.bytes); err != nil {
		return err
	}
	if err := r.addManifest(a.Repository, digest, tag, m, f); err != nil {
		return err
	}
	w.Header().Set("Location", "/v2/"+a.Repository+"/manifests/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
	return nil
}

// addManifest makes a manifest a repository's, and lets a tag, unless it is empty, point to it: all of it or nothing.
func (r *Registry) addManifest(name, digest, tag string, m *manifest, f fields) *Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	repo := r.repositories[name]
	if repo == nil {
		repo = &repository{} // holds nothing
	}
	if missing := repo.missing(f); missing != "" {
		return errorf(http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", "the manifest refers to %s, which isn't in repository %s", missing, name)
	}
	old, need := repo.manifests[digest], int64(0)
	if old == nil {
		need += entry
	}
	if tag != "" && repo.tags[tag] == "" {
		need += entry
	}
	if err := r.reserve(need); err != nil {
		return err
	}
	repo = r.open(name)
	if old == nil {
		m.hold()
		repo.manifests[digest] = m
	} else {
		old.mediaType = m.mediaType
	}
	if tag != "" {
		repo.tags[tag] = digest
	}
	return nil
}

// missing names something that a manifest needs and the repository lacks. Layers that may not be distributed are elsewhere, and an index may have anything.
func (repo *repository) missing(f fields) string {
	blobs := f.Layers
	if f.Config != nil {
		blobs = append(blobs, *f.Config)
	}
	for _, d := range blobs {
		elsewhere := strings.Contains(d.MediaType, ".nondistributable.") || strings.Contains(d.MediaType, ".foreign.")
		if repo.blobs[d.Digest] == nil && !elsewhere {
			return fmt.Sprintf("%q", d.Digest)
		}
	}
	for _, d := range f.Manifests {
		if repo.manifests[d.Digest] == nil && repo.blobs[d.Digest] == nil {
			return fmt.Sprintf("%q", d.Digest)
		}
	}
	return ""
}
