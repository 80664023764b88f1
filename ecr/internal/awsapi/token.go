package awsapi

import (
	"context"
	"encoding/base64"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// tokenUser is the user name in every authorization token (ECR API Reference, AuthorizationData).
const tokenUser = "AWS"

// maxPassword is far longer than any token, whose size AWS doesn't promise, and still fits into the headers that registries take.
const maxPassword = 16 << 10

// Token is a login for the image registry.
type Token struct {
	Username string
	Password provider.Secret
	// ExpiresAt is when the token or its session ends, whichever is sooner, by this machine's clock.
	ExpiresAt time.Time
	RequestID string

	proxyEndpoint string // ECR's own name for the image registry, a URL
}

// ProxyHost is the image registry's host as ECR names it; empty if it doesn't.
func (t Token) ProxyHost() string { return hostOf(t.proxyEndpoint) }

// Token asks ECR for a token with the session's credentials, and with no others: a token's scope is its asker's.
func (c *Client) Token(ctx context.Context, step Step, s Session) (Token, error) {
	ctx = c.noting(ctx, step, s.secrets)
	t, err := c.token(ctx, s)
	if err != nil {
		return Token{}, c.failed(ctx, step, err, s.secrets())
	}
	return t, nil
}

func (c *Client) token(ctx context.Context, s Session, more ...func(*ecr.Options)) (Token, error) {
	asked := time.Now()
	out, err := c.parts().tokens.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{}, append(more, func(o *ecr.Options) {
		o.Credentials = credentials.StaticCredentialsProvider{Value: s.credentials}
	})...)
	if err != nil {
		return Token{}, err
	}
	date, ok := dateOf(out.ResultMetadata)
	switch {
	case !ok:
		return Token{}, Undated
	case s.readAt.Sub(date) >= failure.BadClock: // the answer names no session, and so only its age may tell that it is to another call
		return Token{}, BadAnswer("it is older than the session that asked for it")
	}
	t, err := parseToken(out.AuthorizationData, date)
	if err != nil {
		return Token{}, err
	}
	if !s.ends.After(date) { // the answer that held it was an old one
		return Token{}, BadAnswer("it was given after the session that asked for it had expired")
	}
	if !mayBeOwn(t.proxyEndpoint, c.config.AccountID, c.config.Region) {
		return Token{}, BadAnswer("it is of the image registry of another account or region")
	}
	t.ExpiresAt = tokenEnd(asked, date, t.ExpiresAt, ends{upstream: s.ends, here: s.credentials.Expires})
	t.RequestID = requestID(out.ResultMetadata)
	return t, nil
}

// parseToken parses an answer of date. The token's expiry is AWS's.
func parseToken(data []types.AuthorizationData, date time.Time) (Token, error) {
	if len(data) == 0 {
		return Token{}, BadAnswer("it holds no authorization data")
	}
	encoded := aws.ToString(data[0].AuthorizationToken)
	if len(encoded) > base64.StdEncoding.EncodedLen(len(tokenUser+":")+maxPassword) {
		return Token{}, BadAnswer("its token is longer than any")
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return Token{}, BadAnswer("its token isn't base64")
	}
	username, password, ok := strings.Cut(string(text), ":")
	if !ok || username != tokenUser || password == "" || strings.ContainsFunc(password, unicode.IsControl) {
		return Token{}, BadAnswer("its token isn't of the form " + tokenUser + ":password")
	}
	expiresAt := data[0].ExpiresAt
	if expiresAt == nil {
		return Token{}, BadAnswer("its token lacks the expiry")
	}
	if !expiresAt.After(date) {
		return Token{}, BadAnswer("its token expired at " + expiresAt.UTC().Format(time.RFC3339) + ", before it was given")
	}
	return Token{
		Username: username, Password: provider.NewSecret(password), ExpiresAt: *expiresAt,
		proxyEndpoint: aws.ToString(data[0].ProxyEndpoint),
	}, nil
}

// ecrHost matches ECR's names for an account's image registry, whatever the domain.
var ecrHost = regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.`)

// mayBeOwn reports whether endpoint, as ECR names an image registry, is that of the account and region, or says of neither.
func mayBeOwn(endpoint, account, region string) bool {
	host := hostOf(endpoint)
	if host == "" { // no URL
		host = endpoint
	}
	if isPlain(host, account, region) {
		return true
	}
	named := ecrHost.FindStringSubmatch(strings.ToLower(host))
	return named == nil || named[1] == account && named[2] == region
}

// isPlain is for the usual name, without an allocation: each credential comes here.
func isPlain(host, account, region string) bool {
	rest, ok := strings.CutPrefix(host, account)
	if ok {
		rest, ok = strings.CutPrefix(rest, ".dkr.ecr.")
	}
	if ok {
		rest, ok = strings.CutPrefix(rest, region)
	}
	return ok && strings.HasPrefix(rest, ".")
}
