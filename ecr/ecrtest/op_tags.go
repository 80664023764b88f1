package ecrtest

import (
	"maps"
	"slices"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

func tagResource(c *ecrCall) (any, *awsError) {
	var in struct {
		ARN  string    `json:"resourceArn"`
		Tags []jsonTag `json:"tags"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	added, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	repo, err := c.byARN(in.ARN, func(ctx iam.Context) { requestTags(ctx, added) })
	if err != nil {
		return nil, err
	}
	tags := make(map[string]string, len(added))
	maps.Copy(tags, repo.currentTags())
	maps.Copy(tags, added)
	if err := checkTags(tags); err != nil {
		return nil, err
	}
	repo.setTags(c.now(), c.cfg.TagDelay, tags)
	return struct{}{}, nil
}

func untagResource(c *ecrCall) (any, *awsError) {
	var in struct {
		ARN  string   `json:"resourceArn"`
		Keys []string `json:"tagKeys"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	repo, err := c.byARN(in.ARN, func(ctx iam.Context) { ctx.Set("aws:TagKeys", in.Keys...) })
	if err != nil {
		return nil, err
	}
	tags := maps.Clone(repo.currentTags())
	for _, key := range in.Keys {
		delete(tags, key)
	}
	repo.setTags(c.now(), c.cfg.TagDelay, tags)
	return struct{}{}, nil
}

func listTagsForResource(c *ecrCall) (any, *awsError) {
	var in struct {
		ARN string `json:"resourceArn"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	repo, err := c.byARN(in.ARN, nil)
	if err != nil {
		return nil, err
	}
	return map[string]any{"tags": tagList(repo.currentTags())}, nil
}

// jsonTag is a tag on the wire.
type jsonTag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

func tagMap(list []jsonTag) (map[string]string, *awsError) {
	tags := make(map[string]string, len(list))
	for _, t := range list {
		if _, twice := tags[t.Key]; twice {
			return nil, errorf("InvalidTagParameterException", "Tag keys must be unique: %q", t.Key)
		}
		tags[t.Key] = t.Value
	}
	return tags, checkTags(tags)
}

func tagList(tags map[string]string) []jsonTag {
	list := make([]jsonTag, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, jsonTag{key, tags[key]})
	}
	return list
}
