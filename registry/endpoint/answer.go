package endpoint

import (
	"encoding/json"
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

func (a answer) with(header, value string) answer {
	a.header, a.headerValue = header, value
	return a
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

// headerExpires says when a pull secret ends, whose form has no place for that. It isn't Expires (RFC 9111), by which old caches would keep the answer.
const headerExpires = "Rise-Expires-At"

// issuedAs is the answer for a credential in another form than [Response]'s.
func issuedAs(body []byte, c provider.Credentials) answer {
	a := answer{status: http.StatusOK, body: body}
	if !c.ExpiresAt.IsZero() {
		a = a.with(headerExpires, c.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return a
}

func issued(r provider.Request, c provider.Credentials, now time.Time) answer {
	return answer{status: http.StatusOK, body: Response(r.Project, c, now)}
}
