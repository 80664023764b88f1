package awsapi

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// listPage is the most that DescribeRepositories returns at once.
const listPage = 1000

// Page is a page of the registry's repositories.
type Page struct {
	Repositories []types.Repository
	// ReadAt is AWS's time of the answer; zero if it isn't known.
	ReadAt time.Time
	// Next is what the next page is asked for with; empty if there is none.
	Next string
}

// Page returns a page of the registry's repositories, as they come: the first one if next is empty.
func (c *Client) Page(ctx context.Context, step Step, next string) (Page, error) {
	ctx = recordAttempts(ctx)
	p := c.parts()
	input := &ecr.DescribeRepositoriesInput{RegistryId: &c.config.AccountID, MaxResults: aws.Int32(listPage)}
	if next != "" {
		input.NextToken = &next
	}
	out, err := p.registry.DescribeRepositories(ctx, input)
	if p.controller.forgetEnded(err) {
		out, err = p.registry.DescribeRepositories(ctx, input)
	}
	if err != nil {
		return Page{}, c.failed(ctx, step, err, p.controller.secrets())
	}
	page := Page{Repositories: out.Repositories, Next: aws.ToString(out.NextToken)}
	page.ReadAt, _ = dateOf(out.ResultMetadata)
	return page, nil
}
