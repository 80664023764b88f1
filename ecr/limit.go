package ecr

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxHeaders is how many bytes of an answer's headers are read.
const maxHeaders = 64 << 10

// bounds are what an answer can be. Parsers make many bytes of few: what is deeper, or has more elements, isn't given to them.
type bounds struct {
	size     int // bytes, after decompression
	elements int // objects, lists and XML elements
	values   int // of objects and lists
	text     int // bytes of one JSON string
}

// maxDepth is far deeper than any answer of AWS's.
const maxDepth = 32

var (
	// A session token has up to 4,096 bytes, an authorization token a few thousand.
	smallAnswer = bounds{size: 64 << 10, elements: 1000, values: 4000, text: 64 << 10}
	// A lifecycle policy has up to 30,720 characters, tags 50 × 384, each up to six bytes in JSON.
	documentAnswer = bounds{size: 512 << 10, elements: 4000, values: 16000, text: 256 << 10}
	// A repository takes up to 2,300 bytes and eight elements; a page has a thousand.
	pageAnswer = bounds{size: 3 << 20, elements: 16000, values: 64000, text: 64 << 10}
)

// boundsOf are those of an operation of ECR's that answers more than others do.
func boundsOf(ctx context.Context, request any) bounds {
	if awsmiddleware.GetServiceID(ctx) != "ECR" {
		return smallAnswer
	}
	switch awsmiddleware.GetOperationName(ctx) {
	case describeRepositories:
		if isPage(request) {
			return pageAnswer
		}
	case "GetLifecyclePolicy", "PutLifecyclePolicy", "DeleteLifecyclePolicy", "GetRepositoryPolicy", "GetRegistryPolicy", "ListTagsForResource",
		"DescribeRepositoryCreationTemplates", "DescribePullThroughCacheRules":
		return documentAnswer
	}
	return smallAnswer
}

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

const errTooLarge = badAnswer("it is longer than any answer to this call, or malformed")

// boundedResponses makes the SDK see no answer that can't be one. Of an error's, only the body is taken away: its status says
// enough.
func boundedResponses(s *middleware.Stack) error {
	return s.Deserialize.Add(limiter{s.ID()}, middleware.After)
}

type limiter struct{ call string }

func (limiter) ID() string { return "RiseBoundResponse" }

func (l limiter) HandleDeserialize(
	ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	in.Request = unrepeatable(in.Request)
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || response.Body == nil {
		return out, metadata, err
	}
	source, most := isSource(ctx, l.call), smallAnswer
	if !source {
		most = boundsOf(ctx, in.Request)
	}
	failed := response.StatusCode < 200 || response.StatusCode > 299
	if failed {
		most = smallAnswer
	}
	answer := readAnswer(response.Body, most)
	switch {
	case !answer.fits && !failed:
		return out, metadata, closing(response, errTooLarge)
	case !answer.fits:
		answer = &pieces{Closer: response.Body}
	case !failed && answer.err == nil && source:
		if err := checkSource(l.call, in.Request, answer.bytes()); err != nil {
			return out, metadata, closing(response, err)
		}
	}
	response.Body = answer
	return out, metadata, nil
}

// completeAnswers refuses what the SDK would panic at: SSO's answer without credentials.
func completeAnswers(s *middleware.Stack) error {
	if s.ID() != "GetRoleCredentials" {
		return nil
	}
	return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("RiseCompleteAnswer", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if answer := reflect.Indirect(reflect.ValueOf(out.Result)); err == nil && answer.Kind() == reflect.Struct {
			if keys := answer.FieldByName("RoleCredentials"); keys.Kind() == reflect.Pointer && keys.IsNil() {
				err = badAnswer("it holds no credentials")
			}
		}
		return out, metadata, err
	}), middleware.Before)
}

func closing(response *smithyhttp.Response, err error) error {
	_ = response.Body.Close() // nothing more is read
	return err
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

// pieces is an answer that was read, in pieces: growing one buffer would take several times its size.
type pieces struct {
	io.Closer
	list  [][]byte
	small [1][]byte // for what fits into one
	fits  bool
	err   error // in place of its end
}

func readAnswer(body io.ReadCloser, b bounds) *pieces {
	p := &pieces{Closer: body}
	p.list = p.small[:0]
	check := shape{bounds: b}
	var err error
	for size := 4 << 10; err == nil; size = min(2*size, 64<<10) {
		piece, n := make([]byte, min(size, b.size+1)), 0 // one more than there can be shows
		for n < len(piece) && err == nil {
			var read int
			read, err = body.Read(piece[n:])
			n += read
		}
		if b.size -= n; b.size < 0 || !check.add(piece[:n]) {
			return p
		}
		p.list = append(p.list, piece[:n])
	}
	p.fits = true
	if err != io.EOF {
		p.err = err
	}
	return p
}

func (p *pieces) bytes() []byte {
	var all []byte
	for _, piece := range p.list {
		all = append(all, piece...)
	}
	return all
}

func (p *pieces) Read(b []byte) (int, error) {
	for len(p.list) > 0 && len(p.list[0]) == 0 {
		p.list = p.list[1:]
	}
	if len(p.list) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		return 0, io.EOF
	}
	n := copy(b, p.list[0])
	p.list[0] = p.list[0][n:]
	return n, nil
}
