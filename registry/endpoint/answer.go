package endpoint

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// answer is one HTTP answer. It is a value: what modifies one returns another.
type answer struct {
	status      int
	code        string // empty for a credential
	body        []byte
	header      string // one more header, with its value
	headerValue string
}

// The headers of every answer, made once.
var (
	headerJSON    = []string{"application/json"}
	headerNoStore = []string{"no-store"}
	headerNoSniff = []string{"nosniff"}
)

func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"], h["X-Content-Type-Options"] = headerJSON, headerNoStore, headerNoSniff
	h.Set("Content-Length", strconv.Itoa(len(a.body))) // net/http's own guess ends at 2 KiB; ECR's passwords don't
	if a.header != "" {
		h.Set(a.header, a.headerValue)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the caller is gone: nobody to tell
}

const (
	defaultRetryAfter = 5 * time.Second
	maxRetryAfter     = time.Hour
)

// retryAfter returns a with a Retry-After of d, rounded up to seconds (RFC 9110, section 10.2.3).
func (a answer) retryAfter(d time.Duration) answer {
	if d <= 0 {
		d = defaultRetryAfter
	}
	d = min(d, maxRetryAfter)
	a.header, a.headerValue = "Retry-After", strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
	return a
}

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

func (a answer) with(header, value string) answer {
	a.header, a.headerValue = header, value
	return a
}

// answers are all refusals. They say nothing of causes.
var answers = struct {
	method, unauthenticated, limited, invalid, notFound, conflict, denied, unavailable, timeout, internal answer
}{
	method:          refusal(http.StatusMethodNotAllowed, "method_not_allowed", "Only GET is allowed here.").with("Allow", http.MethodGet),
	unauthenticated: refusal(http.StatusUnauthorized, "unauthenticated", "A valid bearer token is required.").with("WWW-Authenticate", "Bearer"),
	limited:         refusal(http.StatusTooManyRequests, "too_many_requests", "Too many requests; try again later.").retryAfter(0),
	invalid: refusal(http.StatusBadRequest, "invalid_request",
		"Exactly one project is required: "+provider.ProjectRule+". Access is pull or push."),
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

// Response returns the JSON answer for a credential that was issued for project, as of now. It holds the secret. c has to be
// one that passes its Check, as [provider.Issue] returns: without a target it panics.
func Response(project string, c provider.Credentials, now time.Time) []byte {
	method := provider.LoginCredentials // also for a client's own login: what Rise's clients know
	if c.Method == provider.RegistryToken {
		method = provider.RegistryToken
	}
	password := c.Password.Reveal()
	b := make([]byte, 0, len(password)+512)
	b = appendMember(b, `{"credentials":{"registry_url":`, c.Target.String())
	b = appendMember(b, `,"username":`, c.Username)
	b = appendMember(b, `,"password":`, password)
	if !c.ExpiresAt.IsZero() {
		b = strconv.AppendInt(append(b, `,"expires_in":`...), max(0, int64(c.ExpiresAt.Sub(now)/time.Second)), 10)
		b = appendMember(b, `,"expires_at":`, c.ExpiresAt.UTC().Format(time.RFC3339))
	}
	b = appendMember(b, `,"auth_method":`, method.String())
	b = appendMember(b, `},"repository":`, project)
	return append(b, "}\n"...)
}

// appendMember appends key, as it stands, and text as a JSON string. Passwords are kilobytes of base64, for which
// encoding/json would take a quarter of a request's time.
func appendMember(b []byte, key, text string) []byte {
	b = append(b, key...)
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(text)
			if err != nil {
				panic(err) // a string
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

func issued(r provider.Request, c provider.Credentials, now time.Time) answer {
	return answer{status: http.StatusOK, body: Response(r.Project, c, now)}
}
