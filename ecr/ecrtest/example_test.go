package ecrtest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// A broker's work by hand: assume the push role with a session policy for one repository, get a token, and push with
// it.
func Example() {
	ctx := context.Background()
	srv := ecrtest.NewServer(ecrtest.Config{})
	defer srv.Close()
	deployment := srv.Setup(ecrtest.SetupOptions{})
	srv.CreateRepository(deployment.Repository("hello"))
	srv.CreateRepository(deployment.Repository("other"))

	client := func(accessKey, secret, sessionToken string) aws.Config {
		return aws.Config{Region: "eu-west-1", BaseEndpoint: &srv.URL,
			Credentials: credentials.NewStaticCredentialsProvider(accessKey, secret, sessionToken)}
	}
	controller := deployment.ControllerUser
	session, err := sts.NewFromConfig(client(controller.ID, controller.Secret, "")).AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn:         &deployment.PushRoleARN,
		RoleSessionName: aws.String("rise-push-hello"),
		Policy:          aws.String(pushPolicy("arn:aws:ecr:eu-west-1:123456789012:repository/rise/hello")),
	})
	if err != nil {
		log.Fatal(err)
	}
	c := session.Credentials
	token, err := ecr.NewFromConfig(client(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)).
		GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		log.Fatal(err)
	}
	login, err := base64.StdEncoding.DecodeString(*token.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		log.Fatal(err)
	}
	user, password, _ := strings.Cut(string(login), ":")
	auth := remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: user, Password: password}))

	image, err := random.Image(1024, 1)
	if err != nil {
		log.Fatal(err)
	}
	for _, repository := range []string{"rise/hello", "rise/other"} {
		reference, err := name.ParseReference(srv.RegistryHost + "/" + repository + ":v1")
		if err != nil {
			log.Fatal(err)
		}
		err = remote.Write(reference, image, auth)
		var denied *transport.Error
		switch {
		case err == nil:
			fmt.Println(repository, "pushed")
		case errors.As(err, &denied):
			fmt.Println(repository, denied.StatusCode)
		default:
			log.Fatal(err)
		}
	}
	last := srv.Calls()[len(srv.Calls())-1]
	fmt.Println(last.Name(), last.Decision)
	// Output:
	// rise/hello pushed
	// rise/other 403
	// registry:BatchCheckLayerAvailability explicit deny: session policy
}

// Faults hit the calls that they name; the SDK retries what it can.
func ExampleServer_Inject() {
	srv := ecrtest.NewServer(ecrtest.Config{})
	defer srv.Close()
	key := srv.AddUser(ecrtest.User{Name: "ci", Policies: []string{
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}`}})
	remove := srv.Inject(ecrtest.Fault{Action: "ecr:GetAuthorizationToken", Error: "ThrottlingException", Times: 1})
	defer remove()

	_, err := ecr.NewFromConfig(aws.Config{Region: "eu-west-1", BaseEndpoint: &srv.URL,
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, "")}).
		GetAuthorizationToken(context.Background(), &ecr.GetAuthorizationTokenInput{})
	fmt.Println(err)
	for _, call := range srv.Calls() {
		fmt.Println(call.Name(), call.Status, call.ErrorCode)
	}
	// Output:
	// <nil>
	// ecr:GetAuthorizationToken 400 ThrottlingException
	// ecr:GetAuthorizationToken 200
}
