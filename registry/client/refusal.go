package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// refusal is what a status means, and what to do.
type refusal struct {
	kind     provider.Kind
	sentence string
	hint     string
	again    bool
}

// refusals are the endpoint's answers (see package registry/endpoint).
var refusals = map[int]refusal{
	http.StatusBadRequest: {provider.ErrInvalidRequest, "doesn't take the request", "check the project's name (" + provider.ProjectRule + ") and the access", false},
	http.StatusUnauthorized: {provider.ErrAccessDenied, "doesn't accept the token",
		"the token may have expired, be another service's (its audience), or be unknown there; get a new one", false},
	http.StatusNotFound: {provider.ErrNotFound, "knows no such project, or this token's owner has no right to it",
		"check the project's name, and ask its owner for the right", false},
	http.StatusConflict: {provider.ErrConflict, "doesn't give credentials for this project at present",
		"it may take no more pushes, be suspended, or have no repository until its first push", false},
	http.StatusTooManyRequests:     {provider.ErrThrottled, "has had too many requests", "ask less often, or later", true},
	http.StatusInternalServerError: {provider.ErrUnavailable, "failed", "the service's operator has to look at it", false},
	http.StatusBadGateway:          {provider.ErrUnavailable, "was refused by the registry", "trying again won't help; the service's operator has to look at it", false},
	http.StatusServiceUnavailable:  {provider.ErrUnavailable, "is unavailable at present", "try again later; if it stays so, the service's operator has to look at it", true},
	http.StatusGatewayTimeout:      {provider.ErrTimeout, "had no answer of the registry in time", "try again", false},
}

// strangers are answers that no endpoint gives: something else did.
var strangers = map[int]refusal{
	http.StatusUnauthorized:       {provider.ErrAccessDenied, "doesn't accept the token", notTheEndpoint, false},
	http.StatusForbidden:          {provider.ErrAccessDenied, "refuses the request", notTheEndpoint, false},
	http.StatusNotFound:           {provider.ErrMisconfigured, "has no credentials endpoint", "check the URL, its path too", false},
	http.StatusTooManyRequests:    {provider.ErrThrottled, "has had too many requests", "ask less often, or later", true},
	http.StatusBadGateway:         {provider.ErrUnavailable, "can't be reached by the proxy before it", "see whether the service is running", false},
	http.StatusServiceUnavailable: {provider.ErrUnavailable, "is unavailable at present", "see whether the service is running", true},
	http.StatusGatewayTimeout:     {provider.ErrTimeout, "had no time to answer, says the proxy before it", "see whether the service is well", false},
}

var plainCode = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// refused makes an error of an answer that isn't 200, and says whether to try again.
func (r reply) refused(where string, token provider.Secret) (e *provider.Error, again bool) {
	e = &provider.Error{RetryAfter: r.retryAfter(), Details: []slog.Attr{slog.Int("status", r.status)}}
	if r.status >= 300 && r.status < 400 {
		to := "elsewhere"
		if u, err := url.Parse(r.header.Get("Location")); err == nil && u.Host != "" {
			to = "to " + quote(u.Scheme+"://"+u.Host, token)
		}
		e.Kind, e.Err = provider.ErrMisconfigured, fmt.Errorf("%s answered %d and redirects %s, where the token isn't sent", where, r.status, to)
		e.Hint = "give the service's own URL; if that redirects, to a login page perhaps, something before the service answers in its place"
		return e, false
	}
	code, said := r.said(token)
	answer, known := refusals[r.status]
	if code == "" {
		answer, known = strangers[r.status]
	}
	if !known {
		answer = refusal{provider.ErrBadResponse, "answered what no endpoint does", notTheEndpoint, false}
		if r.status >= 500 {
			answer.kind = provider.ErrUnavailable
		}
	}
	if code == "" {
		said = " with " + r.mediaType(token)
	} else {
		e.Details = append(e.Details, slog.String("code", code))
	}
	e.Kind, e.Hint = answer.kind, answer.hint
	e.Err = fmt.Errorf("%s %s (it answered %d%s)", where, answer.sentence, r.status, said)
	if clock := r.clock(); r.status == http.StatusUnauthorized && clock != "" {
		e.Hint += "; " + clock
	}
	return e, answer.again
}

// said is the code of an endpoint's error, empty if it is none, and both for people.
func (r reply) said(token provider.Secret) (code, shown string) {
	m, err := members(r.body)
	if err != nil {
		return "", ""
	}
	code, okCode := text(m, "code")
	sentence, okSentence := text(m, "error")
	if !okCode || !okSentence || !plainCode.MatchString(code) || tells(code, token) {
		return "", ""
	}
	return code, " " + code + ": " + quote(sentence, token)
}

// CodeOf returns the endpoint's code in err, as "not_found" or "upstream_denied" (see package registry/endpoint), and "" where no endpoint gave one.
func CodeOf(err error) string {
	var e *provider.Error
	if !errors.As(err, &e) {
		return ""
	}
	for _, detail := range e.Details {
		if detail.Key == "code" && detail.Value.Kind() == slog.KindString {
			return detail.Value.String()
		}
	}
	return ""
}
