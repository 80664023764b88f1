package source

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// errNoSource is of an answer with a good status.
var errNoSource = errors.New("the answer isn't a credentials endpoint's")

var roleName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,64}$`)

// Check reports what is wrong with an answer with a good status: that it isn't of the form that a source's has, which the SDK would
// quote, as a role's name or in a parser's error, or take for keys; or that it is a refusal.
func Check(call string, request any, body []byte) error {
	r, ok := request.(*smithyhttp.Request)
	switch {
	case !ok:
		return errNoSource
	case call != getCredentials && !strings.Contains(r.URL.Path, "/iam/security-credentials/"):
		return nil // the token for IMDS: net/http refuses what is no header
	case call != getCredentials && strings.HasSuffix(r.URL.Path, "/"): // the list of roles, which has one
		role, _, _ := strings.Cut(string(body), "\n")
		if !roleName.MatchString(strings.TrimSuffix(role, "\r")) {
			return errNoSource
		}
		return nil
	}
	var answer struct{ Code, AccessKeyID, SecretAccessKey string }
	switch err := json.Unmarshal(body, &answer); {
	case err != nil:
		return errNoSource
	case call != getCredentials && codes[answer.Code] != "":
		return &smithy.GenericAPIError{Code: answer.Code}
	case call != getCredentials && !strings.EqualFold(answer.Code, "Success"), answer.AccessKeyID == "" || answer.SecretAccessKey == "":
		return errNoSource
	}
	return nil
}
