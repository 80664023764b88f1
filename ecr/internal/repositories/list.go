package repositories

import (
	"context"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/hint"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

const opList = "list repositories"

// ListRepositories implements [repository.Manager].
func (m *Manager) ListRepositories(ctx context.Context) iter.Seq2[repository.Repository, error] {
	return func(yield func(repository.Repository, error) bool) {
		step := awsapi.Step{Op: opList, Repository: m.setup.RepoPrefix}
		next := ""
		asked := map[string]bool{next: true}
		for {
			page, err := m.aws.Page(ctx, step, next)
			if err != nil {
				yield(repository.Repository{}, hint.Error(m.setup, failure.Of(err)))
				return
			}
			for _, r := range page.Repositories {
				if aws.ToString(r.RegistryId) != m.setup.AccountID || aws.ToString(r.RepositoryArn) != m.setup.ARN(aws.ToString(r.RepositoryName)) {
					yield(repository.Repository{}, &provider.Error{Kind: provider.ErrBadResponse, Op: opList, Err: awsapi.BadAnswer("it is about another registry")})
					return
				}
				project, ok := strings.CutPrefix(aws.ToString(r.RepositoryName), m.setup.RepoPrefix)
				if !ok || provider.ValidateProject(project) != nil {
					continue
				}
				listed := repository.Repository{
					Project: project, Name: aws.ToString(r.RepositoryName), CreatedAt: aws.ToTime(r.CreatedAt), ReadAt: page.ReadAt,
					Drift: m.settings.drift(r, m.scansItself.Load()),
				}
				if !yield(listed, nil) {
					return
				}
			}
			if next = page.Next; next == "" {
				return
			}
			if asked[next] {
				yield(repository.Repository{}, &provider.Error{Kind: provider.ErrBadResponse, Op: opList, Err: awsapi.BadAnswer("its next page was there already")})
				return
			}
			asked[next] = true
		}
	}
}
