package ecrapi

import (
	"maps"
	"slices"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

// imageID names an image by tag, digest or both.
type imageID struct {
	Digest string `json:"imageDigest,omitempty"`
	Tag    string `json:"imageTag,omitempty"`
}

type imageFailure struct {
	ID     imageID `json:"imageId"`
	Code   string  `json:"failureCode"`
	Reason string  `json:"failureReason"`
}

func failed(f *repos.ImageFailure) imageFailure { return imageFailure{imageID(f.ID), f.Code, f.Reason} }

// imagesInput is the parameters of the batch operations.
type imagesInput struct {
	repositoryInput
	IDs []imageID `json:"imageIds"`
}

func (c *call) images() (*repos.Repository, []imageID, *awserr.Error) {
	var in imagesInput
	if err := c.input(&in); err != nil {
		return nil, nil, err
	}
	repo, err := c.named(in.repositoryInput)
	if err == nil && (len(in.IDs) == 0 || len(in.IDs) > 100) {
		err = awserr.InvalidParameter("imageIds", "must have 1 to 100 members")
	}
	return repo, in.IDs, err
}

func batchGetImage(c *call) (any, *awserr.Error) {
	repo, ids, err := c.images()
	if err != nil {
		return nil, err
	}
	images, failures := []any{}, []imageFailure{}
	for _, id := range ids {
		img, failure := repo.Images.Find(repos.ImageID(id))
		if failure != nil {
			failures = append(failures, failed(failure))
			continue
		}
		one := answer(repo)
		one["imageId"] = imageID{img.Digest, id.Tag}
		one["imageManifest"], one["imageManifestMediaType"] = string(img.Manifest), img.MediaType
		images = append(images, one)
	}
	return map[string]any{"images": images, "failures": failures}, nil
}

func batchDeleteImage(c *call) (any, *awserr.Error) {
	repo, ids, err := c.images()
	if err != nil {
		return nil, err
	}
	deleted, failures := []imageID{}, []imageFailure{}
	for _, id := range ids {
		_, failure := repo.Images.Find(repos.ImageID(id))
		if failure == nil {
			failure = repo.Images.Keeps(repos.ImageID(id))
		}
		if failure != nil {
			failures = append(failures, failed(failure))
			continue
		}
		for _, gone := range repo.Images.Delete(repos.ImageID(id)) {
			deleted = append(deleted, imageID(gone))
		}
	}
	return map[string]any{"imageIds": deleted, "failures": failures}, nil
}

func listImages(c *call) (any, *awserr.Error) {
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
	for _, img := range repo.Images.ByDigest {
		for tag := range img.Tags {
			if in.Filter.TagStatus != "UNTAGGED" {
				ids[img.Digest+" "+tag] = imageID{img.Digest, tag}
			}
		}
		if len(img.Tags) == 0 && in.Filter.TagStatus != "TAGGED" {
			ids[img.Digest] = imageID{Digest: img.Digest}
		}
	}
	return pageOf(map[string]any{}, "imageIds", slices.Sorted(maps.Keys(ids)), in.paging, func(key string) any { return ids[key] })
}

func describeImages(c *call) (any, *awserr.Error) {
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
		img, failure := repo.Images.Find(repos.ImageID(id))
		if failure != nil {
			return nil, awserr.New("ImageNotFoundException",
				"The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist "+
					"within the repository with name '%s' in the registry with id '%s'",
				id.Digest, id.Tag, repo.Name, repo.Key.Account)
		}
		digests[img.Digest] = true
	}
	if len(in.IDs) == 0 {
		for digest, img := range repo.Images.ByDigest {
			tagged := len(img.Tags) > 0
			if in.Filter.TagStatus == "" || in.Filter.TagStatus == "ANY" || tagged == (in.Filter.TagStatus == "TAGGED") {
				digests[digest] = true
			}
		}
	}
	return pageOf(map[string]any{}, "imageDetails", slices.Sorted(maps.Keys(digests)), in.paging, func(digest string) any {
		img := repo.Images.ByDigest[digest]
		one := answer(repo)
		one["imageDigest"], one["imageManifestMediaType"] = digest, img.MediaType
		one["imagePushedAt"] = timestamp(img.PushedAt)
		one["imageSizeInBytes"] = img.Size
		if len(img.Tags) > 0 {
			one["imageTags"] = slices.Sorted(maps.Keys(img.Tags))
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

func batchCheckLayerAvailability(c *call) (any, *awserr.Error) {
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
		return nil, awserr.InvalidParameter("layerDigests", "must have 1 to 100 members")
	}
	layers, failures := []any{}, []any{}
	for _, digest := range in.Digests {
		if !repos.IsDigest(digest) {
			failures = append(failures, map[string]string{"layerDigest": digest, "failureCode": "InvalidLayerDigest",
				"failureReason": "Invalid request parameters: layer digest should satisfy the regex"})
			continue
		}
		layer := map[string]any{"layerDigest": digest, "layerAvailability": "UNAVAILABLE"}
		if size, ok := repo.Images.Layer(digest); ok {
			layer["layerAvailability"], layer["layerSize"] = "AVAILABLE", size
		}
		layers = append(layers, layer)
	}
	return map[string]any{"layers": layers, "failures": failures}, nil
}
