package ecr

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
)

// attemptTimeout is how long one attempt at issuing may take; STS and ECR need a fraction of a second.
const attemptTimeout = 10 * time.Second

// dialTimeout is how long a connection may take to be made. It is shorter than an attempt, or else the error of a host that
// can't be reached, as behind a firewall that drops packets, wouldn't say that there was no connection. Its kind is that of any
// other hang.
const dialTimeout = 5 * time.Second

// callTimeout bounds any other attempt of a call.
const callTimeout = 30 * time.Second

// boundedSources ends attempts of the SDK's own sources of credentials (IRSA, Pod Identity, ECS). The SDK lets no caller's end cancel
// these, and has all callers wait for one of them: after an answer that got lost, none would ever be asked for again.
func boundedSources(o *config.LoadOptions) error {
	if c, ok := o.HTTPClient.(*awshttp.BuildableClient); ok && c.GetTimeout() == 0 {
		o.HTTPClient = c.WithTimeout(callTimeout)
	}
	given := o.EndpointCredentialOptions
	o.EndpointCredentialOptions = func(e *endpointcreds.Options) {
		if given != nil {
			given(e)
		}
		if e.HTTPClient == nil {
			e.HTTPClient = connecting()
		}
		if c, ok := e.HTTPClient.(*awshttp.BuildableClient); ok && c.GetTimeout() == 0 {
			e.HTTPClient = c.WithTimeout(attemptTimeout)
		}
	}
	return nil
}

// unbounded takes the clock of boundedSources off again, for clients of our own: an impatientClient's costs a third of its allocations.
func unbounded(client aws.HTTPClient) aws.HTTPClient {
	if c, ok := client.(*awshttp.BuildableClient); ok && c.GetTimeout() == callTimeout {
		return c.WithTimeout(0)
	}
	return client
}

func connecting() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout })
}

// impatientClient ends attempts that take too long, so that the SDK makes another while somebody still waits: an answer
// that got lost would otherwise cost the whole of an issue's time, and all callers of the project wait for that issue.
type impatientClient struct {
	aws.HTTPClient
	patience time.Duration
}

func (c impatientClient) Do(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), c.patience)
	response, err := c.HTTPClient.Do(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &cancelingBody{response.Body, cancel}
	return response, nil
}

type cancelingBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *cancelingBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
