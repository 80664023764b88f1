package failure

import (
	"errors"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
)

// Refusal is what AWS said when it refused, as far as it is AWS's words. A name in it may still be a secret of ours that came back:
// what is shown of it goes through [Failure.Redact].
type Refusal struct {
	Code, Message string
	Action        string // as ECR's and STS's messages name it, such as sts:TagSession; empty if they don't
	Caller        string // the ARN in the message
	Layer         string // the type of policy that denied, if the message says so; STS's mostly don't
	Explicit      bool   // by a Deny
}

var (
	refusedAction = regexp.MustCompile(`not authorized to perform: ([a-z-]+:[A-Za-z]+)`)
	refusedCaller = regexp.MustCompile(`User: (arn:[a-z-]+:(?:iam|sts)::[0-9]{12}:[A-Za-z0-9+=,.@_/-]+) is not`)
	refusedLayer  = regexp.MustCompile(`(because no|with an explicit deny in (?:an?|the)) ` +
		`((?:identity-based|resource-based|session|service control|resource control|role trust|VPC endpoint) policy|permissions boundary)`)
)

// NewRefusal reads an error of AWS's API, or the text of an answer of the image registry. The texts that it recognizes are in the
// IAM User Guide, "Troubleshoot access denied error messages".
func NewRefusal(code, message string) Refusal {
	message = scrub.Said(message, nil) // what is taken from it is shown
	r := Refusal{Code: code, Message: message}
	if m := refusedAction.FindStringSubmatch(message); m != nil {
		r.Action = m[1]
	}
	if m := refusedCaller.FindStringSubmatch(message); m != nil {
		r.Caller = m[1]
	}
	if m := refusedLayer.FindStringSubmatch(message); m != nil {
		r.Layer, r.Explicit = m[2], m[1] != "because no"
	}
	return r
}

// TheLayer is the layer with its article.
func (r Refusal) TheLayer() string {
	if strings.HasPrefix(r.Layer, "identity") {
		return "an " + r.Layer
	}
	return "a " + r.Layer
}

// Denied reports whether AWS doesn't accept who we are or what we may do.
func (r Refusal) Denied() bool { return deniedCodes[r.Code] }

// Throttled reports whether waiting helps.
func (r Refusal) Throttled() bool { return isThrottle(r.Code) }

// UsedUp reports whether a quota is, so that waiting doesn't help.
func (r Refusal) UsedUp() bool { return isUsedUp(r.Code) }

// Unknown reports whether it isn't AWS who refused.
func (r Refusal) Unknown() bool { return r.Code == "" || r.Code == unknownError }

func refusalOf(err error) Refusal {
	var api smithy.APIError
	if !errors.As(err, &api) || sourceOf(err) != nil {
		return Refusal{}
	}
	return NewRefusal(api.ErrorCode(), api.ErrorMessage())
}
