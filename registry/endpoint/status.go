package endpoint

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

func refusal(status int, code, sentence string) answer {
	body, err := json.Marshal(struct {
		Error string `json:"error"`
		Code  string `json:"code"`
	}{sentence, code})
	if err != nil {
		panic(err) // two strings
	}
	return answer{status: status, code: code, body: append(body, '\n')}
}

// answers are all refusals. They say nothing of causes.
var answers = struct {
	method, unauthenticated, limited, invalid, notFound, conflict, denied, unavailable, timeout, internal answer
}{
	method:          refusal(http.StatusMethodNotAllowed, "method_not_allowed", "Only GET is allowed here.").with("Allow", http.MethodGet),
	unauthenticated: refusal(http.StatusUnauthorized, "unauthenticated", "A valid bearer token is required.").with("WWW-Authenticate", "Bearer"),
	limited:         refusal(http.StatusTooManyRequests, "too_many_requests", "Too many requests; try again later.").retryAfter(0),
	invalid: refusal(http.StatusBadRequest, "invalid_request",
		"Exactly one project is required: "+provider.ProjectRule+". Access is pull or push, consumer client or cluster, format "+formatPullSecret+
			"; for a cluster, and in that format, access is pull."),
	notFound:    refusal(http.StatusNotFound, "not_found", "There is no such project, or you have no right to it."),
	conflict:    refusal(http.StatusConflict, "conflict", "The project doesn't accept this at present."),
	denied:      refusal(http.StatusBadGateway, "upstream_denied", "The registry refused the service; the operator has to look at it."),
	unavailable: refusal(http.StatusServiceUnavailable, "unavailable", "The service is unavailable at present; try again later.").retryAfter(0),
	timeout:     refusal(http.StatusGatewayTimeout, "timeout", "The registry took too long to answer; try again."),
	internal:    refusal(http.StatusInternalServerError, "internal", "Something went wrong in the service."),
}

// answerTo maps an error of a provider.
func answerTo(err error) answer {
	if errors.Is(err, provider.ErrNoProjectID) { // invalid for the provider, and not by what the caller wrote
		return answers.denied
	}
	switch provider.KindOf(err) {
	case provider.ErrInvalidRequest:
		return answers.invalid
	case provider.ErrNotFound:
		return answers.notFound
	case provider.ErrConflict, provider.ErrNotOurs, provider.ErrOrphaned:
		return answers.conflict
	case provider.ErrAccessDenied, provider.ErrBadResponse, provider.ErrMisconfigured, provider.ErrUnsupported:
		return answers.denied
	case provider.ErrThrottled, provider.ErrUnavailable:
		return answers.unavailable.retryAfter(retryAfterOf(err))
	case provider.ErrTimeout:
		return answers.timeout
	default:
		return answers.internal
	}
}

// answerToRefusal maps an error of the service's authorization.
func answerToRefusal(err error) answer {
	switch provider.KindOf(err) {
	case provider.ErrNotFound, provider.ErrAccessDenied:
		return answers.notFound
	case provider.ErrConflict:
		return answers.conflict
	default:
		return answers.unavailable.retryAfter(retryAfterOf(err))
	}
}

func retryAfterOf(err error) time.Duration {
	var e *provider.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}
