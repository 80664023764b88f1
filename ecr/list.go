package ecr

import (
	"context"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

const (
	opList = "list repositories"
	// listPage is the most that DescribeRepositories returns at once.
	listPage = 1000
)

// ListRepositories implements [repository.Manager]. ECR lists all of the registry's, others' too: they are left
// out, unless they have a project's name.
func (p *Provider) ListRepositories(ctx context.Context) iter.Seq2[repository.Repository, error] {
	return func(yield func(repository.Repository, error) bool) {
		upstream := p.clients()
		input := &ecr.DescribeRepositoriesInput{RegistryId: aws.String(p.config.AccountID), MaxResults: aws.Int32(listPage)}
		asked := map[string]bool{"": true}
		for {
			attempt := recordAttempts(ctx)
			out, err := upstream.registry.DescribeRepositories(attempt, input)
			if upstream.assumer.controller.forgetEnded(err) {
				out, err = upstream.registry.DescribeRepositories(attempt, input)
			}
			if err != nil {
				yield(repository.Repository{}, p.classify(attempt, opList, "", err, upstream.assumer.controller.secrets()...))
				return
			}
			date, _ := dateOf(out.ResultMetadata)
			for _, r := range out.Repositories {
				if aws.ToString(r.RegistryId) != p.config.AccountID || aws.ToString(r.RepositoryArn) != p.setup.ARN(aws.ToString(r.RepositoryName)) {
					yield(repository.Repository{}, &provider.Error{Kind: provider.ErrBadResponse, Op: opList, Err: badAnswer("it is about another registry")})
					return
				}
				project, ok := strings.CutPrefix(aws.ToString(r.RepositoryName), p.config.RepoPrefix)
				if !ok || provider.ValidateProject(project) != nil {
					continue
				}
				listed := repository.Repository{
					Project: project, Name: aws.ToString(r.RepositoryName), CreatedAt: aws.ToTime(r.CreatedAt), ReadAt: date,
					Drift: p.config.drift(r, p.scansItself.Load()),
				}
				if !yield(listed, nil) {
					return
				}
			}
			next := aws.ToString(out.NextToken)
			if next == "" {
				return
			}
			if asked[next] {
				yield(repository.Repository{}, &provider.Error{Kind: provider.ErrBadResponse, Op: opList, Err: badAnswer("its next page was there already")})
				return
			}
			asked[next] = true
			input.NextToken = aws.String(next)
		}
	}
}
