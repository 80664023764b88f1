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

// Content is where the bytes of a registry's images are, by repository.
type Content interface {
	// Layer returns the size in bytes of a layer, and whether there is one.
	Layer(repository, digest string) (size int64, ok bool)
	// Delete drops a tag or, given a digest, a manifest. There may be none.
	Delete(repository, reference string)
	// DeleteRepository drops all that is in a repository. There may be none.
	DeleteRepository(repository string)
}

// Images are those of a repository.
type Images struct {
	ByDigest map[string]*Image // made by the first push, so that many repositories take little memory

	repository string
	content    Content
}

// ByTag finds the image that has a tag; nil when there is none.
func (is *Images) ByTag(tag string) *Image {
	for _, img := range is.ByDigest {
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
func (is *Images) Find(id ImageID) (*Image, *ImageFailure) {
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
		img = is.ByDigest[id.Digest]
	default:
		img = is.ByTag(id.Tag)
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
func (is *Images) Put(pushed Image, tag string, now time.Time) {
	if is.ByDigest == nil {
		is.ByDigest = map[string]*Image{}
	}
	img := is.ByDigest[pushed.Digest]
	if img == nil {
		img = &Image{Tags: map[string]bool{}, PushedAt: now}
		is.ByDigest[pushed.Digest] = img
	}
	pushed.Tags, pushed.PushedAt = img.Tags, img.PushedAt
	*img = pushed
	if tag != "" {
		if old := is.ByTag(tag); old != nil {
			delete(old.Tags, tag)
		}
		img.Tags[tag] = true
	}
}

// Keeps returns why a tag, or when the id has none an image, has to stay: an index refers to the image, which would go
// with its last tag. It returns nil also if there is no such image.
func (is *Images) Keeps(id ImageID) *ImageFailure {
	img, failure := is.Find(id)
	if failure != nil || id.Tag != "" && len(img.Tags) > 1 {
		return nil
	}
	for _, index := range is.ByDigest {
		if slices.Contains(index.Manifests, img.Digest) {
			return &ImageFailure{id, "ImageReferencedByManifestList", "Requested image referenced by manifest list"}
		}
	}
	return nil
}

// Delete deletes a tag or, when the id has none, an image with all its tags, and returns the ids that are gone. An
// image that loses its last tag is deleted, as ECR does.
func (is *Images) Delete(id ImageID) []ImageID {
	img, failure := is.Find(id)
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
		is.content.Delete(is.repository, tag)
		out = append(out, ImageID{img.Digest, tag})
	}
	if len(img.Tags) == 0 {
		delete(is.ByDigest, img.Digest)
		is.content.Delete(is.repository, img.Digest)
		if len(out) == 0 {
			out = append(out, ImageID{Digest: img.Digest})
		}
	}
	return out
}

// Layer returns the size in bytes of a layer in the repository, and whether there is one.
func (is *Images) Layer(digest string) (size int64, ok bool) {
	return is.content.Layer(is.repository, digest)
}
