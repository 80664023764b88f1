package ecr_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// A project gets a repository, goes, and its name gets a new owner.
func ExampleProvider_EnsureRepository() {
	server := ecrtest.NewServer(ecrtest.Config{}) // in place of AWS
	defer server.Close()
	aws := server.Setup(ecrtest.SetupOptions{})

	c := ecr.DefaultConfig()
	c.Region, c.AccountID, c.PushRoleARN = "eu-west-1", "123456789012", aws.PushRoleARN
	c.AccessKeyID, c.SecretAccessKey = provider.NewSecret(aws.ControllerUser.ID), provider.NewSecret(aws.ControllerUser.Secret)
	c.Installation = "prod"
	ctx := context.Background()
	p, err := ecr.New(ctx, c, ecr.WithLoadOptions(config.WithBaseEndpoint(server.URL)))
	if err != nil {
		fmt.Println(err)
		return
	}
	repositories, err := repository.ManagerOf(p) // through decorators, such as a cache
	if err != nil {
		fmt.Println(err)
		return
	}
	project := provider.Project{Name: "hello", ID: "7f3c"}
	for range 2 {
		change, err := repositories.EnsureRepository(ctx, project, repository.EnsureOptions{})
		fmt.Println(change.Name, change.Actions, err)
	}
	released, err := repositories.ReleaseRepository(ctx, project)
	fmt.Println(released.Actions, released.Owner.Orphaned, err)

	_, err = repositories.EnsureRepository(ctx, provider.Project{Name: "hello", ID: "9b1e"}, repository.EnsureOptions{})
	fmt.Println(errors.Is(err, provider.ErrOrphaned))
	// Output:
	// rise/hello [create] <nil>
	// rise/hello [] <nil>
	// [release] true <nil>
	// true
}
