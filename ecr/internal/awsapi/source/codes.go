package source

import (
	"errors"
	"net/http"
	"regexp"

	"github.com/aws/smithy-go"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// codes are what the sources call their refusals, and the kinds that they are of: EKS Auth's, which the Pod Identity agent passes
// on in brackets; the ECS agent's; and IMDS's, in answers of status 200.
var codes = map[string]provider.Kind{
	"AccessDeniedException":        provider.ErrAccessDenied,
	"ExpiredTokenException":        provider.ErrAccessDenied,
	"InvalidTokenException":        provider.ErrAccessDenied,
	"ResourceNotFoundException":    provider.ErrMisconfigured,
	"InvalidRequestException":      provider.ErrMisconfigured,
	"InvalidParameterException":    provider.ErrMisconfigured,
	"ThrottlingException":          provider.ErrThrottled,
	"Throttling":                   provider.ErrThrottled,
	"ServiceUnavailableException":  provider.ErrUnavailable,
	"InternalServerException":      provider.ErrUnavailable,
	"NoIdInRequest":                provider.ErrMisconfigured,
	"InvalidIdInRequest":           provider.ErrMisconfigured,
	"NoCredentialsAssociated":      provider.ErrMisconfigured,
	"CredentialsUninitialized":     provider.ErrUnavailable,
	"InternalServerError":          provider.ErrUnavailable,
	"AssumeRoleUnauthorizedAccess": provider.ErrAccessDenied,
	"InstanceProfileNotFound":      provider.ErrMisconfigured,
}

var bracketed = regexp.MustCompile(`\(([A-Za-z]{1,40})\): `)

// codeOf is the code of a refusal that is one of the sources' own, "" if it is something else.
func codeOf(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	code := api.ErrorCode()
	if m := bracketed.FindStringSubmatch(api.ErrorMessage()); code == "" && m != nil {
		code = m[1]
	}
	if codes[code] == "" {
		return ""
	}
	return code
}

// Kind is [provider.ErrBadResponse] for what isn't the source's: whatever its status, a proxy's 403 is no word on rights.
func (s Source) Kind() provider.Kind {
	switch {
	case s.Code != "":
		return codes[s.Code]
	case s.Status == http.StatusTooManyRequests:
		return provider.ErrThrottled
	case s.Status >= http.StatusInternalServerError:
		return provider.ErrUnavailable
	case s.Name == IMDS && (s.Status == http.StatusNotFound || s.Status == http.StatusUnauthorized):
		return provider.ErrMisconfigured
	}
	return provider.ErrBadResponse
}
