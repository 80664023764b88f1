package tokenserver

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	opToken        = "ask the token server"
	theTokenServer = "the token server"
)

// answer is what came of a request.
type answer struct {
	status      int
	header      http.Header
	body        string
	began, came time.Time
}

// fail makes an error that holds nothing of what was sent or answered but what its text says.
func fail(kind provider.Kind, op, hint, format string, args ...any) *provider.Error {
	return &provider.Error{Kind: kind, Op: op, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// longestWait is how long one is told to wait at most.
const longestWait = time.Hour

// retryAfter reads a Retry-After; zero if there is none that makes sense.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), longestWait)
}

// page reports whether an answer is a web page.
func page(a answer) bool {
	return strings.Contains(strings.ToLower(a.header.Get("Content-Type")), "html") || strings.HasPrefix(strings.TrimSpace(a.body[:min(len(a.body), 64)]), "<")
}

// unexpected makes an error of an answer that isn't 200, whoever gave it; nil if none fits.
func unexpected(a answer, op, who string) *provider.Error {
	var e *provider.Error
	switch {
	case a.status == http.StatusTooManyRequests:
		e = fail(provider.ErrThrottled, op, "", "%s limits the rate: it answered 429", who)
	case a.status >= 500, a.status == http.StatusRequestTimeout:
		e = fail(provider.ErrUnavailable, op, "look at its log; try again later", "%s fails: it answered %d", who, a.status)
	case a.status/100 == 3:
		e = fail(provider.ErrMisconfigured, op, "name the host that answers by itself; a login is never sent after a redirection", "%s redirects", who)
	default:
		return nil
	}
	e.RetryAfter = retryAfter(a.header, time.Now())
	return e
}

// IsTemporary reports whether err says nothing about the configuration.
func IsTemporary(err error) bool {
	return errors.Is(err, provider.ErrUnavailable) || errors.Is(err, provider.ErrTimeout) || errors.Is(err, provider.ErrThrottled)
}
