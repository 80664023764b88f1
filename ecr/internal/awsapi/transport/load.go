// Package transport is how requests get to AWS, and what of its answers comes in: clients that keep their connections, give up what hangs and
// follow no redirection, and middlewares that read no more of an answer than there can be, and remember what was sent. All of it holds for
// the SDK's own calls for credentials too.
package transport

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/source"
)

// Options are what the SDK's configuration is loaded with: what given may replace, given, and what holds whatever that is. checks are
// middlewares that look at an answer when it was read.
func Options(given []func(*config.LoadOptions) error, checks ...func(*middleware.Stack) error) []func(*config.LoadOptions) error {
	load := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}), // else the SDK writes to stderr
		config.WithHTTPClient(connecting()),
	}
	load = append(load, given...)
	return append(load, boundedSources, safeClients,
		config.WithAPIOptions(append(checks, boundedResponses, completeAnswers, source.Named, rememberSent, fewPages())))
}

// Own returns the client that was loaded for what isn't one of the SDK's sources of credentials, and what closes the connections that it keeps for later
// requests: nothing, for a client that is the caller's, who may have other uses for them. The SDK has a client whose connections are out of reach; this one is the same
// without.
func Own(client aws.HTTPClient) (own aws.HTTPClient, closeIdle func()) {
	client = unbounded(client)
	b, ok := client.(*awshttp.BuildableClient)
	if !ok {
		return keepingClient{client}, func() {}
	}
	if _, set := b.GetReadTimeout(); set { // which the SDK alone can add
		return keepingClient{client}, func() {}
	}
	t := b.GetTransport()
	return keepingClient{staying(http.Client{Transport: t, Timeout: b.GetTimeout()})}, t.CloseIdleConnections
}
