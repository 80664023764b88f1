package transport

import (
	"context"
	"strings"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const describeRepositories = "DescribeRepositories"

// isPage reports whether a request to describe repositories is for a page of all.
func isPage(request any) bool {
	r, ok := request.(*smithyhttp.Request)
	return ok && !strings.Contains(bodyOf(r), `"repositoryNames"`)
}

// pagesAtOnce is how many pages of repositories a provider asks for at a time: the SDK takes 13 MiB to read one of the largest.
const pagesAtOnce = 8

// fewPages makes calls for further pages wait.
func fewPages() func(*middleware.Stack) error {
	turns := make(chan struct{}, pagesAtOnce)
	turn := middleware.DeserializeMiddlewareFunc("RiseFewPages", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		if !isPage(in.Request) {
			return next.HandleDeserialize(ctx, in)
		}
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
			return next.HandleDeserialize(ctx, in)
		case <-ctx.Done():
			return middleware.DeserializeOutput{}, middleware.Metadata{}, ctx.Err()
		}
	})
	return func(s *middleware.Stack) error {
		if s.ID() != describeRepositories {
			return nil
		}
		return s.Deserialize.Add(turn, middleware.Before)
	}
}
