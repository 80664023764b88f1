package ecr

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// attemptTimeout is how long one attempt at issuing may take; STS and ECR need a fraction of a second.
const attemptTimeout = 10 * time.Second

// dialTimeout is how long a connection may take to be made. It is shorter than an attempt, or else the error of a host that
// can't be reached, as behind a firewall that drops packets, wouldn't say that there was no connection. Its kind is that of any
// other hang.
const dialTimeout = 5 * time.Second

// impatientClient ends attempts that take too long, so that the SDK makes another while somebody still waits: an answer
// that got lost would otherwise cost the whole of an issue's time, and all callers of the project wait for that issue.
type impatientClient struct{ aws.HTTPClient }

func (c impatientClient) Do(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), attemptTimeout)
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
