package transport

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

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
