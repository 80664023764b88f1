package transport

import (
	"io"
	"net/http"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// staying is a client that follows no redirection.
func staying(c http.Client) *http.Client {
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// noBody is a body that is empty, but that net/http doesn't know to be.
type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }

// unrepeatable makes a request one that net/http can't send again to where a redirection points: 307 and 308, which the SDK's client
// follows, need a body that can be had once more. What carries a token in a header, and goes by GET, gets such a body, of which
// nothing is sent.
func unrepeatable(request any) any {
	r, ok := request.(*smithyhttp.Request)
	if !ok || r.Method != http.MethodGet || r.GetStream() != nil {
		return request
	}
	again, err := r.SetStream(noBody{})
	if err != nil {
		return request
	}
	again.ContentLength = -1
	return again
}
