package ecrtest

import (
	"fmt"
	"net/http"
)

// An awsError is an error as a service answers it. Each service has a wire form of its own for it.
type awsError struct {
	code    string
	message string
	status  int
}

func (e *awsError) Error() string { return e.code + ": " + e.message }

func errorf(code string, format string, args ...any) *awsError {
	return &awsError{code: code, message: fmt.Sprintf(format, args...), status: http.StatusBadRequest}
}

// forbidden is errorf with status 403.
func forbidden(code string, format string, args ...any) *awsError {
	e := errorf(code, format, args...)
	e.status = http.StatusForbidden
	return e
}
