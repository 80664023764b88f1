package ecr_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
)

// iamEndpoints are IAM's, one per partition, with the region that requests are signed for (AWS General Reference, "AWS
// Identity and Access Management endpoints and quotas").
var iamEndpoints = map[string]struct{ url, region string }{
	"aws":        {"https://iam.amazonaws.com/", "us-east-1"},
	"aws-cn":     {"https://iam.cn-north-1.amazonaws.com.cn/", "cn-north-1"},
	"aws-us-gov": {"https://iam.us-gov.amazonaws.com/", "us-gov-west-1"},
}

// putRolePolicy adds an inline policy to a role until the lab is closed. IAM's SDK is no dependency: two calls of the query
// API don't take one.
func (l *lab) putRolePolicy(ctx context.Context, roleARN, policyName, document string) error {
	role := url.Values{"RoleName": {roleARN[strings.LastIndexByte(roleARN, '/')+1:]}, "PolicyName": {policyName}}
	l.undo(func(ctx context.Context) error {
		err := l.iam(ctx, roleARN, "DeleteRolePolicy", role)
		var api smithy.APIError
		if errors.As(err, &api) && api.ErrorCode() == "NoSuchEntity" {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the policy %s is still on the role %s: %w", policyName, roleARN, err)
		}
		return nil
	})
	form := url.Values{"PolicyDocument": {document}}
	for key, value := range role {
		form[key] = value
	}
	return l.iam(ctx, roleARN, "PutRolePolicy", form)
}

func (l *lab) iam(ctx context.Context, roleARN, action string, form url.Values) error {
	parsed, err := arn.Parse(roleARN)
	if err != nil {
		return err
	}
	endpoint, ok := iamEndpoints[parsed.Partition]
	if !ok {
		return &skip{"these tests don't know IAM's endpoint in partition " + parsed.Partition}
	}
	query := url.Values{"Action": {action}, "Version": {"2010-05-08"}}
	for key, value := range form {
		query[key] = value
	}
	body := query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint.url, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	c, err := l.api.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, c, r, hex.EncodeToString(sum[:]), "iam", endpoint.region, time.Now()); err != nil {
		return err
	}
	resp, err := l.api.HTTPClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode == http.StatusOK {
		return err
	}
	var failure struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	if err := xml.Unmarshal(answer, &failure); err != nil || failure.Code == "" {
		return fmt.Errorf("IAM answers %s", resp.Status)
	}
	return &smithy.GenericAPIError{Code: failure.Code, Message: failure.Message}
}
