package images

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// request is one by a token that is good.
type request struct {
	*http.Request
	body       []byte
	caller     Caller
	registry   Config
	repository Repository           // once the request is allowed
	refusal    *imageregistry.Error // why it isn't
}

// decide answers the registry of images.
func (x *request) decide(a imageregistry.Access) *imageregistry.Error {
	if a.Action == imageregistry.MountFrom { // which becomes an upload if it is refused, and says nothing about the source
		if x.mayMount(a.Repository) {
			return nil
		}
		return &imageregistry.Error{}
	}
	x.refusal = x.refuse(a)
	return x.refusal
}

// mayMount decides whether a layer of another repository may become one of the request's (ECR User Guide, "Blob mounting").
func (x *request) mayMount(source string) bool {
	if x.URL.Query().Get("from") == "" && !x.registry.MountWithoutFrom {
		return false
	}
	return x.caller.MayDownload(source)
}

// refuse decides about the rights first, so that nobody learns what there is where he has none.
func (x *request) refuse(a imageregistry.Access) *imageregistry.Error {
	if a.Action == imageregistry.Ping {
		return nil
	}
	actions := actionsOf(a, x.Request, len(x.body))
	if len(actions) == 0 {
		return unsupported()
	}
	for _, action := range actions {
		if err := x.caller.Authorize(action, a.Repository); err != nil {
			return denied(err)
		}
	}
	if err := x.find(a); err != nil {
		return err
	}
	if a.Resource != imageregistry.Manifest {
		return nil
	}
	switch a.Action {
	case imageregistry.Push:
		return x.mayTag(a)
	case imageregistry.Delete:
		if err := x.repository.MayDelete(a.Reference); err != nil {
			return denied(err)
		}
	}
	return nil
}

// find finds the repository, or has it made by a push.
func (x *request) find(a imageregistry.Access) *imageregistry.Error {
	var found bool
	if x.repository, found = x.caller.Repository(a.Repository); found {
		return nil
	}
	if x.Method == http.MethodPost || a.Action == imageregistry.Push && a.Resource == imageregistry.Manifest {
		var err error
		if x.repository, err = x.caller.CreateOnPush(a.Repository); err == nil {
			return nil
		}
		if !errors.Is(err, ErrNoTemplate) {
			return denied(err)
		}
	}
	return refusal(http.StatusNotFound, "NAME_UNKNOWN", "The repository with name '%s' does not exist in the registry with id '%s'", a.Repository, x.registry.Account)
}

// mayTag holds tags that are immutable to what they are.
func (x *request) mayTag(a imageregistry.Access) *imageregistry.Error {
	if isDigest(a.Reference) {
		return nil
	}
	sum := sha256.Sum256(x.body)
	old := x.repository.Tagged(a.Reference)
	if old == "" || old == "sha256:"+hex.EncodeToString(sum[:]) || !x.repository.Immutable(a.Reference) {
		return nil
	}
	return refusal(http.StatusBadRequest, "TAG_INVALID", "The image tag '%s' already exists in the '%s' repository and cannot be overwritten "+
		"because the tag is immutable.", a.Reference, a.Repository)
}

// isDigest tells digests from tags, which have no colon.
func isDigest(reference string) bool { return strings.Contains(reference, ":") }

func unsupported() *imageregistry.Error {
	return refusal(http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
}

func denied(err error) *imageregistry.Error {
	return refusal(http.StatusForbidden, "DENIED", "%v", err)
}

func refusal(status int, code, format string, args ...any) *imageregistry.Error {
	return &imageregistry.Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}
