// Package awserr is an error as AWS's services answer it, before a protocol gives it the form that it has on the wire.
package awserr

import (
	"fmt"
	"net/http"
)

// Error is an error of AWS's: its code, such as AccessDenied, a message for people, and the status that goes with it.
type Error struct {
	Code    string
	Message string
	Status  int // of HTTP
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// New makes an error with status 400, as most have.
func New(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: http.StatusBadRequest}
}

// Forbidden makes an error with status 403.
func Forbidden(code, format string, args ...any) *Error {
	e := New(code, format, args...)
	e.Status = http.StatusForbidden
	return e
}

// InvalidParameter makes ECR's error for a parameter that doesn't validate.
func InvalidParameter(name, rule string) *Error {
	return New("InvalidParameterException", "Invalid parameter at '%s' failed to satisfy constraint: '%s'", name, rule)
}
