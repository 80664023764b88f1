package transport

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// AttemptTimeout is how long one attempt at issuing may take; STS and ECR need a fraction of a second.
const AttemptTimeout = 10 * time.Second

// dialTimeout is how long a connection may take to be made. It is shorter than an attempt, or else the error of a host that
// can't be reached, as behind a firewall that drops packets, wouldn't say that there was no connection. Its kind is that of any
// other hang.
const dialTimeout = 5 * time.Second

// CallTimeout bounds any other attempt of a call.
const CallTimeout = 30 * time.Second

// Patient returns a client that ends attempts which take longer than d, so that the SDK makes another while somebody still waits: an answer
// that got lost would otherwise cost the whole of an issue's time, and all callers of the project wait for that issue.
func Patient(client aws.HTTPClient, d time.Duration) aws.HTTPClient {
	return impatientClient{client, d}
}

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
