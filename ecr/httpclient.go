package ecr

import (
	"bytes"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
)

// keepingClient keeps connections that the SDK alone loses. net/http sends a body that it doesn't know to be in memory
// apart from the headers, and then reads on to see its end; a fast answer makes the SDK close the body before that, which
// net/http takes for a failed write, and so gives up the connection: about every twelfth here. Requests to STS and ECR are
// small, so they are put into memory.
type keepingClient struct{ aws.HTTPClient }

func (c keepingClient) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
		r.Body, r.GetBody = io.NopCloser(bytes.NewReader(body)), nil // nor is it sent again to where a redirection points
	}
	return c.HTTPClient.Do(r)
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

// staying is a client that follows no redirection.
func staying(c http.Client) *http.Client {
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// transportOf returns what client sends with: its proxies and authorities are those of the image registry too.
func transportOf(client aws.HTTPClient) http.RoundTripper {
	switch c := client.(type) {
	case keepingClient:
		return transportOf(c.HTTPClient)
	case *awshttp.BuildableClient:
		return c.GetTransport()
	case *http.Client:
		if c.Transport != nil {
			return c.Transport
		}
		return http.DefaultTransport
	}
	return roundTripper{client}
}

type roundTripper struct{ client aws.HTTPClient }

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	return r.client.Do(request)
}
