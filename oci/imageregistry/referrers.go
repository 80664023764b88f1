package imageregistry

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
)

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
