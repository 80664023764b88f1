package images

import (
	"encoding/json"
	"strings"
)

// manifest is what ECR looks at in one.
type manifest struct {
	MediaType string       `json:"mediaType"`
	Config    *descriptor  `json:"config"`
	Layers    []descriptor `json:"layers"`
	Manifests []descriptor `json:"manifests"`
	Subject   *descriptor  `json:"subject"`
	Artifact  string       `json:"artifactType"`
}

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
}

// elsewhere reports whether a layer may not be distributed, so that the repository needn't have it.
func (d descriptor) elsewhere() bool {
	return strings.Contains(d.MediaType, ".nondistributable.") || strings.Contains(d.MediaType, ".foreign.")
}

func parse(body []byte) manifest {
	var m manifest
	_ = json.Unmarshal(body, &m) // the registry of images has refused what is none
	return m
}

// layers names those of a manifest that the repository lacks, and adds the sizes of those that it has.
func (r *Registry) layers(repository string, m manifest) (missing []string, size int64) {
	all := m.Layers
	if m.Config != nil {
		all = append([]descriptor{*m.Config}, all...)
	}
	for _, d := range all {
		n, ok := r.Layer(repository, d.Digest)
		if !ok && !d.elsewhere() {
			missing = append(missing, d.Digest)
		}
		size += n
	}
	return missing, size
}
