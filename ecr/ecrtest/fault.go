package ecrtest

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

// oversize is how much an oversized body is padded to.
const oversize = 64 << 20

// Fault is something that goes wrong with requests. What it changes comes in this order: Latency; then Reset, or Error
// or Status, which replace the answer without the operation being carried out; or else the operation is carried out and
// Malformed, Mutate, Oversize, Truncate and Lost spoil its answer.
type Fault struct {
	// Action names the calls that are hit, with wildcards, as Call.Name has them: "sts:AssumeRole", "ecr:*",
	// "registry:*". Empty is every call.
	Action string
	// If narrows the calls further when set. Principal, Resource, Decision and Status aren't known yet at that point.
	// It must not call the server's methods.
	If func(Call) bool
	// Skip lets that many matching calls pass first.
	Skip int
	// Times is how many calls are hit after that; 0 is all until the fault is removed.
	Times int

	// Latency delays the answer; it ends early when the client goes away.
	Latency time.Duration
	// Reset cuts the connection in place of an answer; the operation isn't carried out.
	Reset bool
	// Error is the code of the error to answer, such as ThrottlingException; its form is the service's.
	Error string
	// Message is the message of Error; AWS's own for throttling by default.
	Message string
	// Status is the HTTP status to answer; the usual one of Error by default. Without Error the body is plain text.
	Status int
	// Header is added to the answer, for example Retry-After, and wins over what the answer has by itself: "Date" is
	// another time, and an entry without values takes the header out.
	Header http.Header
	// Malformed replaces the answer's body by one that is cut in the middle of its first value. The operation is
	// carried out.
	Malformed bool
	// Mutate changes the answer's body. The operation is carried out.
	Mutate func(body []byte) []byte
	// Oversize pads the answer's body to 64 MiB. The operation is carried out.
	Oversize bool
	// Truncate sends half of the answer's body and cuts the connection. The operation is carried out.
	Truncate bool
	// Lost cuts the connection before the answer. The operation is carried out.
	Lost bool
}

// fault is one that was injected.
type fault struct {
	Fault
	seen int
}

// hits reports whether a fault hits a call, and counts it if it might.
func (f *fault) hits(c Call) bool {
	if f.Times > 0 && f.seen >= f.Skip+f.Times || f.Action != "" && !iam.Match(f.Action, c.Name()) ||
		f.If != nil && !f.If(c) {
		return false
	}
	f.seen++
	return f.seen > f.Skip
}

// replaces makes the error that a fault answers in place of the operation; nil when it doesn't.
func (f *Fault) replaces() *awserr.Error {
	if f.Error == "" {
		return nil
	}
	e := &awserr.Error{Code: f.Error, Message: f.Message, Status: f.Status}
	throttling := strings.Contains(strings.ToLower(f.Error), "throttl") || strings.EqualFold(f.Error, "TOOMANYREQUESTS")
	if e.Message == "" {
		e.Message = "fault injected by ecrtest"
		if throttling {
			e.Message = "Rate exceeded"
		}
	}
	if e.Status == 0 {
		e.Status = usualStatus(f.Error)
	}
	return e
}

// usualStatus is the HTTP status that goes with an error code at STS and ECR. The image registry has its own for
// throttling.
func usualStatus(code string) int {
	switch {
	case strings.HasPrefix(code, "Internal"), code == "ServerException":
		return http.StatusInternalServerError
	case strings.HasPrefix(code, "ServiceUnavailable"):
		return http.StatusServiceUnavailable
	case code == "AccessDenied", code == "ExpiredToken", code == "InvalidClientTokenId", code == "SignatureDoesNotMatch",
		code == "MissingAuthenticationToken", code == "DENIED":
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}

// spoil changes an answer's body.
func (f *Fault) spoil(body []byte) []byte {
	if f.Malformed {
		if bytes.HasPrefix(body, []byte("<")) {
			body = []byte("<Answer><Result")
		} else {
			body = []byte(`{"answer": `)
		}
	}
	if f.Mutate != nil {
		body = f.Mutate(bytes.Clone(body))
	}
	if f.Oversize && len(body) < oversize {
		body = append(bytes.Repeat([]byte(" "), oversize-len(body)), body...)
	}
	return body
}
