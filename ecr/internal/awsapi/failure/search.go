package failure

import (
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
)

// Search is why the SDK found no credentials, where it says so in words of its own.
type Search uint8

// The reasons. The zero Search is any other.
const (
	TokenFile  Search = iota + 1 // the token file of IRSA or Pod Identity can't be read
	Process                      // the profile's credential_process failed
	SSOExpired                   // the profile's SSO session has expired
	NoMetadata                   // the instance metadata service was asked in vain
)

func searchOf(err error) Search {
	switch text := err.Error(); {
	case strings.Contains(text, "unable to read file at"), strings.Contains(text, "failed to read authorization token from"):
		return TokenFile
	case errors.As(err, new(*processcreds.ProviderError)):
		return Process
	case strings.Contains(text, "SSO session has expired"):
		return SSOExpired
	case strings.Contains(text, "ec2imds"):
		return NoMetadata
	}
	return 0
}
