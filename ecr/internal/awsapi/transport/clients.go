package transport

import (
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
)

func connecting() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout })
}

// boundedSources ends attempts of the SDK's own sources of credentials (IRSA, Pod Identity, ECS). The SDK lets no caller's end cancel
// these, and has all callers wait for one of them: after an answer that got lost, none would ever be asked for again.
func boundedSources(o *config.LoadOptions) error {
	if c, ok := o.HTTPClient.(*awshttp.BuildableClient); ok && c.GetTimeout() == 0 {
		o.HTTPClient = c.WithTimeout(CallTimeout)
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
			e.HTTPClient = c.WithTimeout(AttemptTimeout)
		}
	}
	return nil
}

// unbounded takes the clock of boundedSources off again, for clients of our own: an impatientClient's costs a third of its allocations.
func unbounded(client aws.HTTPClient) aws.HTTPClient {
	if c, ok := client.(*awshttp.BuildableClient); ok && c.GetTimeout() == CallTimeout {
		return c.WithTimeout(0)
	}
	return client
}

// safeClients limits the headers that are read of an answer, and keeps clients from following redirections: what is sent to AWS and to where
// credentials come from is for there alone. It comes last, after the caller's own options. A client that is neither of the SDK nor of
// net/http is left as it is.
func safeClients(o *config.LoadOptions) error {
	switch c := o.HTTPClient.(type) {
	case nil: // an option may say so
		o.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(limitHeaders)
	case *awshttp.BuildableClient: // stays one, as the SDK adds AWS_CA_BUNDLE to nothing else; see unrepeatable
		o.HTTPClient = c.WithTransportOptions(limitHeaders)
	case *http.Client:
		o.HTTPClient = staying(*c)
	}
	given := o.EndpointCredentialOptions
	o.EndpointCredentialOptions = func(e *endpointcreds.Options) { // which the SDK doesn't give its HTTP client
		if given != nil {
			given(e)
		}
		switch c := e.HTTPClient.(type) {
		case nil:
			e.HTTPClient = staying(http.Client{Transport: awshttp.NewBuildableClient().WithTransportOptions(limitHeaders).GetTransport()})
		case *awshttp.BuildableClient:
			e.HTTPClient = staying(http.Client{Transport: c.WithTransportOptions(limitHeaders).GetTransport(), Timeout: c.GetTimeout()})
		case *http.Client:
			e.HTTPClient = staying(*c)
		}
	}
	return nil
}

func limitHeaders(t *http.Transport) {
	if t.MaxResponseHeaderBytes <= 0 || t.MaxResponseHeaderBytes > maxHeaders {
		t.MaxResponseHeaderBytes = maxHeaders
	}
}

// maxHeaders is how many bytes of an answer's headers are read.
const maxHeaders = 64 << 10
