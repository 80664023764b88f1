package ecrapi

import (
	"maps"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

func tagResource(c *call) (any, *awserr.Error) {
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
	repo, err := c.byARN(in.ARN, func(ctx iam.Context) { cloud.SetRequestTags(ctx, added) })
	if err != nil {
		return nil, err
	}
	tags := make(map[string]string, len(added))
	maps.Copy(tags, repo.Tags.Current())
	maps.Copy(tags, added)
	if err := repos.CheckTags(tags); err != nil {
		return nil, err
	}
	c.cloud.SetTags(repo, tags)
	return struct{}{}, nil
}

func untagResource(c *call) (any, *awserr.Error) {
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
	tags := maps.Clone(repo.Tags.Current())
	for _, key := range in.Keys {
		delete(tags, key)
	}
	c.cloud.SetTags(repo, tags)
	return struct{}{}, nil
}

func listTagsForResource(c *call) (any, *awserr.Error) {
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
	return map[string]any{"tags": tagList(repo.Tags.Current())}, nil
}
