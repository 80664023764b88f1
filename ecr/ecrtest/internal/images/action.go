package images

import (
	"net/http"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// Action is the ECR action that a request is about, such as PutImage, the last one if it needs several; Ping for that of the API's version; nothing for
// what ECR doesn't serve.
func Action(r *http.Request) string {
	a, err := imageregistry.AccessOf(r)
	if err != nil {
		return ""
	}
	if a.Action == imageregistry.Ping {
		return "Ping"
	}
	actions := actionsOf(a, r, 0)
	if len(actions) == 0 {
		return ""
	}
	return actions[len(actions)-1]
}

// actionsOf are the ECR actions that a request needs on its repository, in order: none if ECR doesn't serve it. bodySize is in bytes.
func actionsOf(a imageregistry.Access, r *http.Request, bodySize int) []string {
	switch a.Action {
	case imageregistry.ListTags:
		return []string{"ListImages"}
	case imageregistry.ListReferrers:
		return []string{"BatchGetImage"}
	}
	switch a.Resource {
	case imageregistry.Blob:
		return blobActions(r.Method)
	case imageregistry.Upload:
		return uploadActions(r, bodySize)
	case imageregistry.Manifest:
		return manifestActions(a.Action)
	}
	return nil
}

func blobActions(method string) []string {
	switch method {
	case http.MethodHead:
		return []string{"BatchCheckLayerAvailability"}
	case http.MethodGet:
		return []string{"GetDownloadUrlForLayer"}
	}
	return nil // ECR deletes layers by itself
}

// uploadActions takes the state of an upload, which ECR has no action for, to be of interest to whoever sends its parts. Nobody may cancel one.
func uploadActions(r *http.Request, bodySize int) []string {
	switch {
	case r.Method == http.MethodPost && r.URL.Query().Get("digest") != "":
		return []string{"InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"}
	case r.Method == http.MethodPost:
		return []string{"InitiateLayerUpload"}
	case r.Method == http.MethodPatch, r.Method == http.MethodGet:
		return []string{"UploadLayerPart"}
	case r.Method == http.MethodPut && bodySize > 0:
		return []string{"UploadLayerPart", "CompleteLayerUpload"}
	case r.Method == http.MethodPut:
		return []string{"CompleteLayerUpload"}
	}
	return nil
}

func manifestActions(a imageregistry.Action) []string {
	switch a {
	case imageregistry.Pull:
		return []string{"BatchGetImage"}
	case imageregistry.Push:
		return []string{"PutImage"}
	case imageregistry.Delete:
		return []string{"BatchDeleteImage"}
	}
	return nil
}
