package repos

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Image is what a repository knows of a manifest that was pushed to it.
type Image struct {
	Digest    string
	MediaType string
	Manifest  []byte
	Size      int64    // in bytes, of the manifest and of the layers that the repository has
	Subject   string   // the digest of the image that it refers to, if any
	Artifact  string   // its artifact type, or its configuration's media type
	Manifests []string // the digests in an index

	Tags     map[string]bool
	PushedAt time.Time
}

var (
	imageTag    = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
	imageDigest = regexp.MustCompile(`^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)
)

// IsTag reports whether s has the form of an image's tag.
func IsTag(s string) bool { return imageTag.MatchString(s) }

// IsDigest reports whether s has the form of a digest.
func IsDigest(s string) bool { return imageDigest.MatchString(s) }

// ByTag finds the image that has a tag; nil when there is none.
func (r *Repository) ByTag(tag string) *Image {
	for _, img := range r.Images {
		if img.Tags[tag] {
			return img
		}
	}
	return nil
}

// ImageID names an image by tag, digest or both.
type ImageID struct{ Digest, Tag string }

// IDOf is how a digest or tag names an image.
func IDOf(reference string) ImageID {
	if strings.Contains(reference, ":") {
		return ImageID{Digest: reference}
	}
	return ImageID{Tag: reference}
}

// ImageFailure is why the batch operations don't find or delete an image.
type ImageFailure struct {
	ID           ImageID
	Code, Reason string
}

// Find looks an image up as the batch operations do.
func (r *Repository) Find(id ImageID) (*Image, *ImageFailure) {
	fail := func(code, reason string) (*Image, *ImageFailure) { return nil, &ImageFailure{id, code, reason} }
	var img *Image
	switch {
	case id.Digest == "" && id.Tag == "":
		return fail("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
	case id.Digest != "" && !IsDigest(id.Digest):
		return fail("InvalidImageDigest", "Invalid request parameters: image digest should satisfy the regex")
	case id.Tag != "" && !IsTag(id.Tag):
		return fail("InvalidImageTag", "Invalid request parameters: image tag should satisfy the regex")
	case id.Digest != "":
		img = r.Images[id.Digest]
	default:
		img = r.ByTag(id.Tag)
	}
	switch {
	case img == nil:
		return fail("ImageNotFound", "Requested image not found")
	case id.Tag != "" && !img.Tags[id.Tag]:
		return fail("ImageTagDoesNotMatchDigest", "Requested image tag does not match the digest")
	}
	return img, nil
}

// Put records an image that was pushed, be it there already, and moves the tag to it unless that is empty.
func (r *Repository) Put(pushed Image, tag string, now time.Time) {
	if r.Images == nil {
		r.Images = map[string]*Image{}
	}
	img := r.Images[pushed.Digest]
	if img == nil {
		img = &Image{Tags: map[string]bool{}, PushedAt: now}
		r.Images[pushed.Digest] = img
	}
	pushed.Tags, pushed.PushedAt = img.Tags, img.PushedAt
	*img = pushed
	if tag != "" {
		if old := r.ByTag(tag); old != nil {
			delete(old.Tags, tag)
		}
		img.Tags[tag] = true
	}
}

// Keeps returns why a tag, or when the id has none an image, has to stay: an index refers to the image, which would go
// with its last tag. It returns nil also if there is no such image.
func (r *Repository) Keeps(id ImageID) *ImageFailure {
	img, failure := r.Find(id)
	if failure != nil || id.Tag != "" && len(img.Tags) > 1 {
		return nil
	}
	for _, index := range r.Images {
		if slices.Contains(index.Manifests, img.Digest) {
			return &ImageFailure{id, "ImageReferencedByManifestList", "Requested image referenced by manifest list"}
		}
	}
	return nil
}

// Delete deletes a tag or, when the id has none, an image with all its tags, and returns the ids that are gone. An
// image that loses its last tag is deleted, as ECR does.
func (r *Repository) Delete(id ImageID) []ImageID {
	img, failure := r.Find(id)
	if failure != nil {
		return nil
	}
	gone := []string{id.Tag}
	if id.Tag == "" {
		gone = slices.Sorted(maps.Keys(img.Tags))
	}
	var out []ImageID
	for _, tag := range gone {
		delete(img.Tags, tag)
		r.content.Delete(r.Name, tag)
		out = append(out, ImageID{img.Digest, tag})
	}
	if len(img.Tags) == 0 {
		delete(r.Images, img.Digest)
		r.content.Delete(r.Name, img.Digest)
		if len(out) == 0 {
			out = append(out, ImageID{Digest: img.Digest})
		}
	}
	return out
}

// Layer returns the size in bytes of a layer of the repository, and whether there is one.
func (r *Repository) Layer(digest string) (size int64, ok bool) {
	return r.content.Layer(r.Name, digest)
}
