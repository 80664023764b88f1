package ecr

import (
	"context"
	"encoding/base64"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const opToken = "get authorization token"

// tokenUser is the user name in every authorization token (ECR API Reference, AuthorizationData).
const tokenUser = "AWS"

// maxPassword is far longer than any token, whose size AWS doesn't promise, and still fits into the headers that registries take.
const maxPassword = 16 << 10

type token struct {
	username  string
	password  provider.Secret
	expiresAt time.Time
	requestID string
	// proxyEndpoint is ECR's own name for the image registry, a URL.
	proxyEndpoint string
}

// getToken asks ECR for a token with the session's credentials, and with no others: a token's scope is its asker's. It expires
// when the token or the session does, whichever is sooner.
func (p *Provider) getToken(ctx context.Context, s session, more ...func(*ecr.Options)) (token, error) {
	asked := time.Now()
	out, err := p.clients().tokens.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{}, append(more, func(o *ecr.Options) {
		o.Credentials = credentials.StaticCredentialsProvider{Value: s.credentials}
	})...)
	if err != nil {
		return token{}, err
	}
	date, ok := dateOf(out.ResultMetadata)
	switch {
	case !ok:
		return token{}, undated
	case s.readAt.Sub(date) >= badClock: // the answer names no session, and so only its age may tell that it is to another call
		return token{}, badAnswer("it is older than the session that asked for it")
	}
	t, err := parseToken(out.AuthorizationData, date)
	if err != nil {
		return token{}, err
	}
	if !s.ends.After(date) { // the answer that held it was an old one
		return token{}, badAnswer("it was given after the session that asked for it had expired")
	}
	if !p.mayBeOwn(t.proxyEndpoint) {
		return token{}, badAnswer("it is of the image registry of another account or region")
	}
	t.expiresAt = tokenEnd(asked, date, t.expiresAt, ends{upstream: s.ends, here: s.credentials.Expires})
	id, _ := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	t.requestID = scrub.ID(id)
	return t, nil
}

// parseToken parses an answer of date. The token's expiry is AWS's.
func parseToken(data []types.AuthorizationData, date time.Time) (token, error) {
	if len(data) == 0 {
		return token{}, badAnswer("it holds no authorization data")
	}
	encoded := aws.ToString(data[0].AuthorizationToken)
	if len(encoded) > base64.StdEncoding.EncodedLen(len(tokenUser+":")+maxPassword) {
		return token{}, badAnswer("its token is longer than any")
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return token{}, badAnswer("its token isn't base64")
	}
	username, password, ok := strings.Cut(string(text), ":")
	if !ok || username != tokenUser || password == "" || strings.ContainsFunc(password, unicode.IsControl) {
		return token{}, badAnswer("its token isn't of the form " + tokenUser + ":password")
	}
	expiresAt := data[0].ExpiresAt
	if expiresAt == nil {
		return token{}, badAnswer("its token lacks the expiry")
	}
	if !expiresAt.After(date) {
		return token{}, badAnswer("its token expired at " + expiresAt.UTC().Format(time.RFC3339) + ", before it was given")
	}
	return token{
		username: username, password: provider.NewSecret(password), expiresAt: *expiresAt,
		proxyEndpoint: aws.ToString(data[0].ProxyEndpoint),
	}, nil
}
