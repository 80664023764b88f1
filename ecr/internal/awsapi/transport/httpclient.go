package transport

import (
	"bytes"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
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

// RoundTripper returns what client sends with: its proxies and authorities are those of the image registry too.
func RoundTripper(client aws.HTTPClient) http.RoundTripper {
	switch c := client.(type) {
	case keepingClient:
		return RoundTripper(c.HTTPClient)
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
