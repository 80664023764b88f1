package images

import (
	"net/http"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// Password returns the token that a request carries; nothing if it carries none.
func Password(r *http.Request) string {
	user, password, _ := r.BasicAuth()
	if user != "AWS" {
		return ""
	}
	return password
}

// Handle carries out a request by somebody whose token is known. Its body was read already.
func (r *Registry) Handle(req *http.Request, body []byte, caller Caller) Response {
	switch caller.Admit() {
	case Admitted:
	case Deleted:
		return Failure(http.StatusForbidden, "DENIED", "The security token included in the request is invalid.")
	case Throttled:
		return Failure(http.StatusTooManyRequests, "TOOMANYREQUESTS", "Rate exceeded")
	default:
		return Failure(http.StatusForbidden, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
	}
	a, wrong := imageregistry.AccessOf(req)
	if wrong != nil {
		if wrong.Code != "DIGEST_INVALID" {
			wrong = unsupported()
		}
		return Failure(wrong.Status, wrong.Code, wrong.Message)
	}
	x := &request{Request: req, body: body, caller: caller, registry: r.cfg}
	resp := r.do(req, body, x.decide)
	switch {
	case x.refusal != nil:
		return Failure(x.refusal.Status, x.refusal.Code, x.refusal.Message)
	case resp.Status >= http.StatusBadRequest:
		return r.reword(resp, a, body)
	case a.Resource == imageregistry.Manifest && a.Action == imageregistry.Push:
		x.repository.Put(r.imageOf(req, a, body, resp.Header.Get("Docker-Content-Digest")), tagOf(a))
	case a.Resource == imageregistry.Manifest && a.Action == imageregistry.Delete:
		x.repository.Delete(a.Reference)
	}
	return resp
}

// reword says what isn't there in ECR's words. The registry of images knows no repository that is empty.
func (r *Registry) reword(resp Response, a imageregistry.Access, body []byte) Response {
	switch resp.Code {
	case "NAME_UNKNOWN":
		if a.Action == imageregistry.ListTags {
			return jsonResponse(http.StatusOK, map[string]any{"name": a.Repository, "tags": []string{}})
		}
		if a.Resource == imageregistry.Blob {
			return Failure(http.StatusNotFound, "BLOB_UNKNOWN", "The layer '"+a.Reference+"' does not exist")
		}
		return Failure(http.StatusNotFound, "MANIFEST_UNKNOWN", "Requested image not found")
	case "MANIFEST_UNKNOWN":
		return Failure(http.StatusNotFound, "MANIFEST_UNKNOWN", "Requested image not found")
	case "MANIFEST_BLOB_UNKNOWN":
		if missing, _ := r.layers(a.Repository, parse(body)); len(missing) > 0 {
			e := refusal(http.StatusNotFound, resp.Code, "Layers with digests '%s' required for pushing image into repository with name '%s' in the registry "+
				"with id '%s' do not exist", missing, a.Repository, r.cfg.Account)
			return Failure(e.Status, e.Code, e.Message)
		}
	}
	return resp
}

// tagOf is the tag that a manifest is pushed by; nothing if that is its digest.
func tagOf(a imageregistry.Access) string {
	if isDigest(a.Reference) {
		return ""
	}
	return a.Reference
}

// imageOf is what there is to know of a manifest that was pushed.
func (r *Registry) imageOf(req *http.Request, a imageregistry.Access, body []byte, digest string) Image {
	m := parse(body)
	_, size := r.layers(a.Repository, m)
	image := Image{Digest: digest, MediaType: req.Header.Get("Content-Type"), Manifest: body, Size: size + int64(len(body)), Artifact: m.Artifact}
	if image.MediaType == "" {
		image.MediaType = m.MediaType
	}
	if m.Config != nil && image.Artifact == "" {
		image.Artifact = m.Config.MediaType
	}
	if m.Subject != nil {
		image.Subject = m.Subject.Digest
	}
	for _, d := range m.Manifests {
		image.Manifests = append(image.Manifests, d.Digest)
	}
	return image
}
