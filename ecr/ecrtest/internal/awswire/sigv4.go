package awswire

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
)

const (
	amzDate = "20060102T150405Z"
	maxSkew = 5 * time.Minute // "Signature Version 4 … must reach AWS within five minutes of the timestamp"
)

// signature is what a request's Authorization header claims.
type signature struct {
	accessKeyID   string
	date          string // yyyymmdd
	region        string
	service       string
	signedHeaders []string
	signature     string
}

// parseSignature reads an Authorization header:
// "AWS4-HMAC-SHA256 Credential=…/date/region/service/aws4_request, SignedHeaders=…, Signature=…".
func parseSignature(header string) (signature, *awserr.Error) {
	if header == "" {
		return signature{}, awserr.Forbidden("MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	incomplete := awserr.Forbidden("IncompleteSignature", "Authorization header is not a complete AWS4-HMAC-SHA256 signature.")
	rest, found := strings.CutPrefix(header, "AWS4-HMAC-SHA256 ")
	if !found {
		return signature{}, incomplete
	}
	var s signature
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			parts := strings.Split(value, "/")
			if len(parts) != 5 || parts[4] != "aws4_request" {
				return signature{}, incomplete
			}
			s.accessKeyID, s.date, s.region, s.service = parts[0], parts[1], parts[2], parts[3]
		case "SignedHeaders":
			s.signedHeaders = strings.Split(value, ";")
		case "Signature":
			s.signature = value
		}
	}
	if s.accessKeyID == "" || s.signature == "" || !slices.Contains(s.signedHeaders, "host") {
		return signature{}, incomplete
	}
	return s, nil
}

// verify recomputes the request's signature from what was received. secret and sessionToken are those of the access
// key.
func (s signature) verify(r *http.Request, body []byte, secret, sessionToken string, now time.Time) *awserr.Error {
	mismatch := awserr.Forbidden("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you "+
		"provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	header := r.Header.Get("X-Amz-Date")
	signed, err := time.Parse(amzDate, header)
	if err != nil {
		return awserr.Forbidden("IncompleteSignature", "Date must be in ISO-8601 'basic format'. Got '%s'.", header)
	}
	if s.date != header[:8] {
		return awserr.Forbidden("SignatureDoesNotMatch",
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "+
				"date from HTTP: '%s' != '%s', from '%s'.", s.date, header[:8], header)
	}
	switch {
	case signed.Before(now.Add(-maxSkew)):
		return awserr.Forbidden("SignatureDoesNotMatch", "Signature expired: %s is now earlier than %s (%s - 5 min.)",
			header, now.Add(-maxSkew).UTC().Format(amzDate), now.UTC().Format(amzDate))
	case signed.After(now.Add(maxSkew)):
		return awserr.Forbidden("SignatureDoesNotMatch", "Signature not yet current: %s is still later than %s (%s + 5 min.)",
			header, now.Add(maxSkew).UTC().Format(amzDate), now.UTC().Format(amzDate))
	}
	// Whatever counts must be signed, or somebody on the way could change it.
	for name := range r.Header {
		lower := strings.ToLower(name)
		if (strings.HasPrefix(lower, "x-amz-") || lower == "content-type") && !slices.Contains(s.signedHeaders, lower) {
			return awserr.Forbidden("SignatureDoesNotMatch", "'%s' must be a signed header.", lower)
		}
	}
	again := &http.Request{Method: r.Method, URL: r.URL, Host: r.Host, Header: http.Header{}}
	target := *r.URL // the signer sets RawQuery
	again.URL = &target
	for _, name := range s.signedHeaders {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = int64(len(body))
		default:
			again.Header[http.CanonicalHeaderKey(name)] = slices.Clone(r.Header.Values(name))
		}
	}
	hash := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{
		AccessKeyID: s.accessKeyID, SecretAccessKey: secret, SessionToken: sessionToken,
	}, again, hex.EncodeToString(hash[:]), s.service, s.region, signed)
	if err != nil {
		return mismatch
	}
	want, perr := parseSignature(again.Header.Get("Authorization"))
	if perr != nil || !slices.Equal(want.signedHeaders, s.signedHeaders) ||
		subtle.ConstantTimeCompare([]byte(want.signature), []byte(s.signature)) != 1 {
		return mismatch
	}
	return nil
}
