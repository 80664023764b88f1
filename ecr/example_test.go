package ecr_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// A credential for pushing to one project's repository. A double stands in for AWS; on AWS there is no endpoint to set,
// and the keys come from the environment.
func Example() {
	aws := ecrtest.NewServer(ecrtest.Config{})
	defer aws.Close()
	account := aws.Setup(ecrtest.SetupOptions{})

	p, err := ecr.New(context.Background(), ecr.Config{
		Region:          "eu-west-1",
		AccountID:       "123456789012",
		PushRoleARN:     account.PushRoleARN,
		AccessKeyID:     provider.NewSecret(account.ControllerUser.ID),
		SecretAccessKey: provider.NewSecret(account.ControllerUser.Secret),
	}, ecr.WithLoadOptions(config.WithBaseEndpoint(aws.URL)))
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := provider.Issue(context.Background(), p, provider.Request{Project: "hello", Access: provider.Push})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Target)
	fmt.Println(c.Username, c.Password)
	// Output:
	// 123456789012.dkr.ecr.eu-west-1.amazonaws.com/rise/hello
	// AWS [redacted]
}

// Everything that is wrong with a configuration comes at once.
func ExampleConfig_Validate() {
	err := ecr.Config{Region: "eu-west-1", AccountID: "12345", PushRoleARN: "arn:aws-cn:iam::123456789012:role/push"}.Validate()
	fmt.Println(err)
	fmt.Println(errors.Is(err, provider.ErrMisconfigured))
	// Output:
	// account_id: must be an AWS account id of 12 digits
	// push_role_arn: must be in partition aws, which is the region's
	// true
}

// What a session may do, to compare with what CloudTrail shows.
func ExampleProvider_SessionPolicy() {
	p, err := ecr.New(context.Background(), ecr.Config{
		Region: "eu-west-1", AccountID: "123456789012", PushRoleARN: "arn:aws:iam::123456789012:role/push",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := p.SessionPolicy(provider.Request{Project: "hello", Access: provider.Pull})
	fmt.Println(len(policy), err)
	fmt.Println(p.SessionName(provider.Request{Project: "hello", Access: provider.Pull}))
	// Output:
	// 581 <nil>
	// rise-pull-hello <nil>
}
