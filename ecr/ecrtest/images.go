package ecrtest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/images"
)

// image is what a repository knows of a manifest that was pushed to it.
type image struct {
	images.Image
	tags     map[string]bool
	pushedAt time.Time
}

var (
	imageTag    = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
	imageDigest = regexp.MustCompile(`^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)
)

// byTag finds the image that has a tag.
func (r *repository) byTag(tag string) *image {
	for _, img := range r.images {
		if img.tags[tag] {
			return img
		}
	}
	return nil
}

// imageID names an image on the wire, by tag, digest or both.
type imageID struct {
	Digest string `json:"imageDigest,omitempty"`
	Tag    string `json:"imageTag,omitempty"`
}

type imageFailure struct {
	ID     imageID `json:"imageId"`
	Code   string  `json:"failureCode"`
	Reason string  `json:"failureReason"`
}

// find looks an image up as the batch operations do.
func (r *repository) find(id imageID) (*image, *imageFailure) {
	fail := func(code, reason string) (*image, *imageFailure) { return nil, &imageFailure{id, code, reason} }
	var img *image
	switch {
	case id.Digest == "" && id.Tag == "":
		return fail("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
	case id.Digest != "" && !imageDigest.MatchString(id.Digest):
		return fail("InvalidImageDigest", "Invalid request parameters: image digest should satisfy the regex")
	case id.Tag != "" && !imageTag.MatchString(id.Tag):
		return fail("InvalidImageTag", "Invalid request parameters: image tag should satisfy the regex")
	case id.Digest != "":
		img = r.images[id.Digest]
	default:
		img = r.byTag(id.Tag)
	}
	switch {
	case img == nil:
		return fail("ImageNotFound", "Requested image not found")
	case id.Tag != "" && !img.tags[id.Tag]:
		return fail("ImageTagDoesNotMatchDigest", "Requested image tag does not match the digest")
	}
	return img, nil
}

// imageIDOf is how a digest or tag names an image.
func imageIDOf(reference string) imageID {
	if strings.Contains(reference, ":") {
		return imageID{Digest: reference}
	}
	return imageID{Tag: reference}
}

// keeps reports whether an index of the repository refers to an image that would go with a tag, or by its digest.
func (r *repository) keeps(img *image, tag string) bool {
	if tag != "" && len(img.tags) > 1 {
		return false
	}
	for _, index := range r.images {
		if slices.Contains(index.Manifests, img.Digest) {
			return true
		}
	}
	return false
}

// unreference removes a tag, or with tag "" the image with all its tags, and reports the ids that are gone. An image
// that loses its last tag is deleted, as ECR does.
func (r *repository) unreference(img *image, tag string) []imageID {
	gone := []string{tag}
	if tag == "" {
		gone = slices.Sorted(maps.Keys(img.tags))
	}
	var out []imageID
	for _, t := range gone {
		delete(img.tags, t)
		r.pushed.Delete(r.name, t)
		out = append(out, imageID{img.Digest, t})
	}
	if len(img.tags) == 0 {
		delete(r.images, img.Digest)
		r.pushed.Delete(r.name, img.Digest)
		if len(out) == 0 {
			out = append(out, imageID{Digest: img.Digest})
		}
	}
	return out
}

// imagesInput is the parameters of the batch operations.
type imagesInput struct {
	repositoryInput
	IDs []imageID `json:"imageIds"`
}

func (c *ecrCall) images() (*repository, []imageID, *awsError) {
	var in imagesInput
	if err := c.input(&in); err != nil {
		return nil, nil, err
	}
	repo, err := c.named(in.repositoryInput)
	if err == nil && (len(in.IDs) == 0 || len(in.IDs) > 100) {
		err = invalidParameter("imageIds", "must have 1 to 100 members")
	}
	return repo, in.IDs, err
}

func batchGetImage(c *ecrCall) (any, *awsError) {
	repo, ids, err := c.images()
	if err != nil {
		return nil, err
	}
	images, failures := []any{}, []*imageFailure{}
	for _, id := range ids {
		img, failure := repo.find(id)
		if failure != nil {
			failures = append(failures, failure)
			continue
		}
		one := repo.answer()
		one["imageId"] = imageID{img.Digest, id.Tag}
		one["imageManifest"], one["imageManifestMediaType"] = string(img.Manifest), img.MediaType
		images = append(images, one)
	}
	return map[string]any{"images": images, "failures": failures}, nil
}

func batchDeleteImage(c *ecrCall) (any, *awsError) {
	repo, ids, err := c.images()
	if err != nil {
		return nil, err
	}
	deleted, failures := []imageID{}, []*imageFailure{}
	for _, id := range ids {
		img, failure := repo.find(id)
		if failure == nil && repo.keeps(img, id.Tag) {
			failure = &imageFailure{id, "ImageReferencedByManifestList", "Requested image referenced by manifest list"}
		}
		if failure != nil {
			failures = append(failures, failure)
			continue
		}
		deleted = append(deleted, repo.unreference(img, id.Tag)...)
	}
	return map[string]any{"imageIds": deleted, "failures": failures}, nil
}

func listImages(c *ecrCall) (any, *awsError) {
	var in struct {
		repositoryInput
		paging
		Filter struct {
			TagStatus string `json:"tagStatus"`
		} `json:"filter"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	repo, err := c.named(in.repositoryInput)
	if err != nil {
		return nil, err
	}
	ids := map[string]imageID{}
	for _, img := range repo.images {
		for tag := range img.tags {
			if in.Filter.TagStatus != "UNTAGGED" {
				ids[img.Digest+" "+tag] = imageID{img.Digest, tag}
			}
		}
		if len(img.tags) == 0 && in.Filter.TagStatus != "TAGGED" {
			ids[img.Digest] = imageID{Digest: img.Digest}
		}
	}
	return pageOf(map[string]any{}, "imageIds", slices.Sorted(maps.Keys(ids)), in.paging, func(key string) any { return ids[key] })
}

func describeImages(c *ecrCall) (any, *awsError) {
	var in struct {
		imagesInput
		paging
		Filter struct {
			TagStatus string `json:"tagStatus"`
		} `json:"filter"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	repo, err := c.named(in.repositoryInput)
	if err != nil {
		return nil, err
	}
	digests := map[string]bool{}
	for _, id := range in.IDs {
		img, failure := repo.find(id)
		if failure != nil {
			return nil, errorf("ImageNotFoundException",
				"The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist "+
					"within the repository with name '%s' in the registry with id '%s'",
				id.Digest, id.Tag, repo.name, repo.key.account)
		}
		digests[img.Digest] = true
	}
	if len(in.IDs) == 0 {
		for digest, img := range repo.images {
			tagged := len(img.tags) > 0
			if in.Filter.TagStatus == "" || in.Filter.TagStatus == "ANY" || tagged == (in.Filter.TagStatus == "TAGGED") {
				digests[digest] = true
			}
		}
	}
	return pageOf(map[string]any{}, "imageDetails", slices.Sorted(maps.Keys(digests)), in.paging, func(digest string) any {
		img := repo.images[digest]
		one := repo.answer()
		one["imageDigest"], one["imageManifestMediaType"] = digest, img.MediaType
		one["imagePushedAt"] = timestamp(img.pushedAt)
		one["imageSizeInBytes"] = img.Size
		if len(img.tags) > 0 {
			one["imageTags"] = slices.Sorted(maps.Keys(img.tags))
		}
		if img.Subject != "" {
			one["subjectManifestDigest"] = img.Subject
		}
		if img.Artifact != "" {
			one["artifactMediaType"] = img.Artifact
		}
		return one
	})
}

func batchCheckLayerAvailability(c *ecrCall) (any, *awsError) {
	var in struct {
		repositoryInput
		Digests []string `json:"layerDigests"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	repo, err := c.named(in.repositoryInput)
	if err != nil {
		return nil, err
	}
	if len(in.Digests) == 0 || len(in.Digests) > 100 {
		return nil, invalidParameter("layerDigests", "must have 1 to 100 members")
	}
	layers, failures := []any{}, []any{}
	for _, digest := range in.Digests {
		if !imageDigest.MatchString(digest) {
			failures = append(failures, map[string]string{"layerDigest": digest, "failureCode": "InvalidLayerDigest",
				"failureReason": "Invalid request parameters: layer digest should satisfy the regex"})
			continue
		}
		layer := map[string]any{"layerDigest": digest, "layerAvailability": "UNAVAILABLE"}
		if size, ok := repo.pushed.Layer(repo.name, digest); ok {
			layer["layerAvailability"], layer["layerSize"] = "AVAILABLE", size
		}
		layers = append(layers, layer)
	}
	return map[string]any{"layers": layers, "failures": failures}, nil
}
