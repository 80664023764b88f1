package ecrtest

import (
	"net/url"
	"time"
)

// The names of the services in Call.Service.
const (
	ServiceSTS         = "sts"
	ServiceECR         = "ecr"
	ServiceRegistry    = "registry"
	ServicePodIdentity = "pod-identity"
)

// Call is the record of one request. It holds no secret: neither keys nor tokens nor blobs' contents.
type Call struct {
	// Time is when the request arrived, by the server's clock.
	Time time.Time
	// Service is one of ServiceSTS, ServiceECR, ServiceRegistry and ServicePodIdentity.
	Service string
	// Action is the operation, such as AssumeRole. At the image registry it is the ECR action that the request needs,
	// such as PutImage; "Ping" for /v2/; empty for what ECR doesn't serve.
	Action string
	// Region is the region that the request was signed for, or the image registry's.
	Region string
	// AccessKeyID is the key that signed the request, or that the image registry's token was issued to.
	AccessKeyID string
	// Principal is the ARN of the user or session once it is authenticated.
	Principal string
	// Resource is the ARN that was authorized last; empty when nothing was.
	Resource string
	// Form holds STS's parameters, or the image registry's query.
	Form url.Values
	// JSON holds the parameters of ECR's API.
	JSON map[string]any
	// Method and Path are the HTTP request's.
	Method, Path string
	// Decision is the outcome of authorization: "allowed", or for example "explicit deny: session policy" or
	// "implicit deny: identity-based policy"; empty when the request didn't come so far.
	Decision string
	// Status is the HTTP status of the answer; 0 while the request is in progress, and when a fault cut the connection
	// before an answer.
	Status int
	// ErrorCode is AWS's error code, such as AccessDenied or ThrottlingException; empty on success.
	ErrorCode string
	// RequestID is the request id of the answer.
	RequestID string
	// Fault reports that an injected fault changed the answer.
	Fault bool
}

// Name is the call as policies and faults name it: "sts:AssumeRole", "ecr:PutImage". Calls of the image registry have
// the prefix "registry:" here, so that they can be told from those of ECR's API.
func (c Call) Name() string { return c.Service + ":" + c.Action }
