package imageregistry

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// listTags lists a repository's tags.
func (r *Registry) listTags(w http.ResponseWriter, req *http.Request, name string) *Error {
	r.mu.Lock()
	repo := r.repositories[name]
	var tags []string
	if repo != nil {
		tags = slices.Sorted(maps.Keys(repo.tags))
	}
	r.mu.Unlock()
	if repo == nil {
		return unknownName(name)
	}
	page, err := pageOf(w, req, tags)
	if err != nil {
		return err
	}
	writeJSON(w, req, http.StatusOK, "application/json", map[string]any{"name": name, "tags": page})
	return nil
}

// catalog lists the repositories.
func (r *Registry) catalog(w http.ResponseWriter, req *http.Request) *Error {
	page, err := pageOf(w, req, r.names(""))
	if err != nil {
		return err
	}
	writeJSON(w, req, http.StatusOK, "application/json", map[string]any{"repositories": page})
	return nil
}

// pageOf cuts a sorted list to the n entries after last, if the query has these, and links to what follows.
func pageOf(w http.ResponseWriter, req *http.Request, list []string) ([]string, *Error) {
	query := req.URL.Query()
	start, found := slices.BinarySearch(list, query.Get("last"))
	if found {
		start++
	}
	page := append([]string{}, list[start:]...) // never null
	if query.Get("n") == "" {
		return page, nil
	}
	n, err := strconv.Atoi(query.Get("n"))
	if err != nil || n < 0 {
		return nil, errorf(http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "%q is no number of entries", query.Get("n"))
	}
	if n < len(page) {
		page = page[:n]
		if n > 0 {
			next := url.Values{"n": {strconv.Itoa(n)}, "last": {page[n-1]}}
			w.Header().Set("Link", "<"+req.URL.Path+"?"+next.Encode()+`>; rel="next"`)
		}
	}
	return page, nil
}

// referrer describes a manifest that refers to another.
type referrer struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int               `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// listReferrers lists the manifests whose subject is the reference, of which nobody has to know.
func (r *Registry) listReferrers(w http.ResponseWriter, req *http.Request, a Access) *Error {
	const index = "application/vnd.oci.image.index.v1+json"
	list := []referrer{}
	wanted := req.URL.Query().Get("artifactType")
	if wanted != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	found := r.referrers(a.Repository, a.Reference)
	for _, digest := range slices.Sorted(maps.Keys(found)) {
		m := found[digest]
		var f fields
		_ = json.Unmarshal(m.bytes, &f) // was looked at when it came
		one := referrer{m.mediaType, digest, len(m.bytes), f.ArtifactType, f.Annotations}
		if one.ArtifactType == "" && f.Config != nil {
			one.ArtifactType = f.Config.MediaType
		}
		if wanted == "" || one.ArtifactType == wanted {
			list = append(list, one)
		}
		r.sent(m.content)
	}
	writeJSON(w, req, http.StatusOK, index, map[string]any{"schemaVersion": 2, "mediaType": index, "manifests": list})
	return nil
}

// referrers finds them, and holds the content of each.
func (r *Registry) referrers(name, subject string) map[string]manifest {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[string]manifest{}
	if repo := r.repositories[name]; repo != nil {
		for digest, m := range repo.manifests {
			if m.subject == subject {
				m.hold()
				found[digest] = *m
			}
		}
	}
	return found
}
