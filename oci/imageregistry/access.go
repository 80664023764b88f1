package imageregistry

import "net/http"

// Access is what a request wants. All of it is valid: names, tags, digests.
type Access struct {
	Action     Action
	Repository string   // in full, without a slash at either end; empty for Ping and Catalog
	Resource   Resource // zero for Ping, ListTags and Catalog
	Reference  string   // the tag or digest of a manifest, the digest of a blob or of a referrers' subject, the id of an upload; empty for an upload that begins
}

// Action is what is wanted of a repository or, for Ping and Catalog, of the registry. The zero Action is never asked.
type Action uint8

// The actions.
const (
	Ping          Action = iota + 1 // GET /v2/: is this a registry, and does it know me?
	Pull                            // read a manifest or blob
	Push                            // write a manifest; begin, continue, look at, finish or cancel an upload
	Delete                          // delete a manifest, tag or blob
	MountFrom                       // read a blob of this repository into the one of the request, which was asked for Push before
	ListTags                        // list the repository's tags
	ListReferrers                   // list the manifests that refer to one
	Catalog                         // list all repositories
)

// String is what logs and messages call an action.
func (a Action) String() string {
	names := [...]string{"none", "ping", "pull", "push", "delete", "mount from", "list tags", "list referrers", "catalog"}
	if int(a) < len(names) {
		return names[a]
	}
	return names[0]
}

// Resource is what kind of thing is acted on, for those to whom an Action says too little; the request's method says the rest.
type Resource uint8

// The resources.
const (
	Blob Resource = iota + 1
	Upload
	Manifest
)

// Authorize decides about a request, before any of its body is read: nil allows it, an Error is the client's answer. For a mount it is asked twice: Push where the
// blob is to be, then MountFrom where it is. Refusing the second is no answer: the client is asked to upload, as if there were no such
// blob. A mount that names no source (in the query, "from") asks for each repository that has the blob. It is called by many goroutines.
type Authorize func(r *http.Request, a Access) *Error

// AllowAll is the Authorize of a registry that is open to everybody.
func AllowAll(*http.Request, Access) *Error { return nil }
