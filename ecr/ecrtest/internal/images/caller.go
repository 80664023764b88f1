package images

import "errors"

// Caller is whom a request's token was issued to, with what the rest of the double says and does for him at this registry. It is used by the goroutine of Handle
// alone, and until that returns nothing else of the double may change.
type Caller interface {
	// Admit says whether the token is any good here and now, and counts the call.
	Admit() Admission
	// Authorize decides about one of ECR's actions, such as PutImage, on a repository, which need not exist. The client is told the error's text.
	Authorize(action, repository string) error
	// MayDownload decides about GetDownloadUrlForLayer on the source of a mount. It is no part of the call's record.
	MayDownload(repository string) bool
	// Repository finds a repository.
	Repository(name string) (Repository, bool)
	// CreateOnPush makes a repository that is missing, if there is a creation template for it. An error but ErrNoTemplate is that the caller may not have it made.
	CreateOnPush(name string) (Repository, error)
}

// ErrNoTemplate is CreateOnPush's where a push makes no repository.
var ErrNoTemplate = errors.New("images: no creation template for pushes")

// Admission is what becomes of a token's use before anybody looks at what is asked.
type Admission uint8

// The admissions. The zero Admission is none of them, and lets nobody in.
const (
	Admitted Admission = iota + 1
	Expired            // or of another region
	Deleted            // the user or role is
	Throttled
)

// Repository is what is known of a repository's images beside their content.
type Repository interface {
	// Tagged returns the digest of the image that has a tag; nothing if none has.
	Tagged(tag string) (digest string)
	// Immutable reports whether a tag stays with the image that has it.
	Immutable(tag string) bool
	// Put records an image that was pushed, be it there already, and moves the tag to it unless that is empty.
	Put(image Image, tag string)
	// MayDelete returns why the image of a digest or tag has to stay; nil also if there is none.
	MayDelete(reference string) error
	// Delete records that a digest or tag is gone. What else goes with it, it deletes from the Registry.
	Delete(reference string)
}

// Image is what there is to know of a manifest.
type Image struct {
	Digest, MediaType string
	Manifest          []byte
	Size              int64    // in bytes, of the manifest and the layers that are there
	Subject           string   // the digest of the image that it refers to, if any
	Artifact          string   // its artifact type, or its configuration's media type
	Manifests         []string // the digests in an index
}
