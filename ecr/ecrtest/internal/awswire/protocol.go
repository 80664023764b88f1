// Package awswire is what AWS's protocols have in common on the wire: a request that is on record, a signature that is
// verified, an answer before it is sent. No protocol is here, and each of them uses it.
package awswire

import (
	"net/http"
	"net/url"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
)

// Call is the record of a request: see ecrtest.Call.
type Call struct {
	Time         time.Time
	Service      string
	Action       string
	Region       string
	AccessKeyID  string
	Principal    string
	Resource     string
	Form         url.Values
	JSON         map[string]any
	Method, Path string
	Decision     string
	Status       int
	ErrorCode    string
	RequestID    string
	Fault        bool
}

// Name is the call as policies and faults name it, such as sts:AssumeRole.
func (c Call) Name() string { return c.Service + ":" + c.Action }

// Response is an answer before faults and the wire.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	Code   string // AWS's error code; empty on success
}

// A Protocol is one of the services: how a request is read, carried out and answered. It is safe for concurrent use.
type Protocol interface {
	// Describe fills in what the request itself says: Action, Region, AccessKeyID, parameters.
	Describe(r *http.Request, body []byte, c *Call)
	// Handle carries the request out. It completes c: Principal, Resource, Decision.
	Handle(r *http.Request, body []byte, c *Call) Response
	// Fail makes the answer for an error.
	Fail(e *awserr.Error, c *Call) Response
}
