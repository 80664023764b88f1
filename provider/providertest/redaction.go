package providertest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"strings"

	"github.com/stretchr/testify/assert"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// minSecret is the shortest secret that is looked for: a shorter one may turn up by chance.
const minSecret = 8

// secrets returns what must not show after cs were handed out.
func (s *subject) secrets(cs ...provider.Credentials) []string {
	s.Helper()
	var all []string
	if s.Secrets != nil {
		all = s.Secrets()
		if len(all) == 0 {
			s.Fatalf("Secrets returns none: list them, or say in Cannot[%q] why there are none", Secrets)
		}
	}
	for _, c := range cs {
		if c.Password.IsZero() {
			continue
		}
		password := c.Password.Reveal()
		all = append(all, password, base64.StdEncoding.EncodeToString([]byte(c.Username+":"+password)))
	}
	for i, secret := range all {
		if len(secret) < minSecret {
			s.Fatalf("secret %d of %d is shorter than %d bytes and may turn up by chance", i+1, len(all), minSecret)
		}
	}
	return all
}

// spellings are the ways in which printers and protocols write a secret.
func spellings(secret string) map[string]string {
	raw := []byte(secret)
	return map[string]string{
		"as it is":       secret,
		"quoted":         strings.Trim(strconv.Quote(secret), `"`),
		"in base64":      base64.RawStdEncoding.EncodeToString(raw),
		"in base64url":   base64.RawURLEncoding.EncodeToString(raw),
		"URL-encoded":    url.QueryEscape(secret),
		"in hexadecimal": hex.EncodeToString(raw),
	}
}

// wantRedacted checks everything that prints v. It doesn't show what it found.
func (s *subject) wantRedacted(what string, v any, secrets []string) {
	s.Helper()
	for printer, text := range printed(v) {
		s.wantClean(what+", printed with "+printer, text, secrets)
	}
}

func (s *subject) wantClean(what, text string, secrets []string) {
	s.Helper()
	for i, secret := range secrets {
		for how, spelling := range spellings(secret) {
			if strings.Contains(strings.ToLower(text), strings.ToLower(spelling)) {
				s.Errorf("%s, shows secret %d of %d %s", what, i+1, len(secrets), how)
				break
			}
		}
	}
}

// printed returns v as the usual printers print it.
func printed(v any) map[string]string {
	texts := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		texts[verb] = fmt.Sprintf(verb, v)
	}
	if e, ok := v.(error); ok {
		texts["Error"] = e.Error()
	}
	if text, err := json.Marshal(v); err == nil {
		texts["encoding/json"] = string(text)
	}
	logged := func(handler func(io.Writer) slog.Handler) string {
		var b strings.Builder
		slog.New(handler(&b)).Info("printed", "value", v)
		return b.String()
	}
	texts["slog's text"] = logged(func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) })
	texts["slog's JSON"] = logged(func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) })
	return texts
}

// failed records what a failing test would print.
type failed struct{ strings.Builder }

func (f *failed) Errorf(format string, args ...any) { _, _ = fmt.Fprintf(f, format, args...) }

func testCredentialsRedacted(s *subject) {
	requests := s.requests("hello")
	if s.reason(AllProjects) == "" {
		requests = append(requests, provider.Request{AllProjects: true, Access: provider.Pull})
	}
	for _, r := range requests {
		c := s.issue(r)
		secrets, what := s.secrets(c), "Credentials("+show(r)+")"
		s.wantRedacted(what, c, secrets)
		s.wantRedacted("a pointer to "+what, &c, secrets)
		for _, detail := range c.Details {
			s.wantRedacted(what+", its detail "+strconv.Quote(detail.Key), detail, secrets)
		}
		var test failed
		assert.Equal(&test, provider.Credentials{}, c)
		s.wantClean(what+", compared with testify", test.String(), secrets)
	}
}

// testProviderRedacted prints the provider before it is asked for anything and once it is closed: in between, a printer
// would read fields while the provider's own goroutines write them.
func testProviderRedacted(s *subject) {
	s.wantChainRedacted("the provider", s.secrets())
	var cs []provider.Credentials
	for _, r := range s.requests("hello") {
		cs = append(cs, s.issue(r))
	}
	if err := s.closed(s.Provider); err != nil {
		s.Errorf("Close: %v", err)
	}
	s.wantChainRedacted("the provider, after use", s.secrets(cs...))
}

// wantChainRedacted checks the provider and all that it decorates, as printers don't follow pointers.
func (s *subject) wantChainRedacted(what string, secrets []string) {
	s.Helper()
	for _, p := range s.chain() {
		s.wantRedacted(fmt.Sprintf("%s, its %T", what, p), p, secrets)
	}
}

func testErrorsRedacted(s *subject) {
	hello := provider.Request{Project: "hello", Access: provider.Push}
	_, err := s.ask(s.Context(), provider.Request{Project: "A", Access: provider.Push})
	s.wantErrorRedacted("an invalid request", err, s.secrets())
	_, err = s.ask(endedContext(s.Context()), hello)
	s.wantErrorRedacted("an ended context", err, s.secrets())
	for fault := range faults() {
		if s.reason(fault) != "" || fault == Hanging {
			continue
		}
		s := s.another()
		c := s.issue(provider.Request{Project: "before", Access: provider.Push}) // its secret may be at hand
		s.Faults[fault]()
		_, err := s.askPatiently(hello)
		s.wantErrorRedacted(string(fault), err, s.secrets(c))
	}
}

// wantErrorRedacted checks err and all that it wraps. Its kind is another test's concern.
func (s *subject) wantErrorRedacted(what string, err error, secrets []string) {
	s.Helper()
	if err == nil {
		return
	}
	s.wantRedacted("the error after "+what, err, secrets)
	var e *provider.Error
	if errors.As(err, &e) {
		for _, detail := range e.Details {
			s.wantRedacted("the error after "+what+", its detail "+strconv.Quote(detail.Key), detail, secrets)
		}
	}
	switch w := err.(type) { //nolint:errorlint // this walks the tree itself
	case interface{ Unwrap() error }:
		s.wantErrorRedacted(what, w.Unwrap(), secrets)
	case interface{ Unwrap() []error }:
		for _, wrapped := range w.Unwrap() {
			s.wantErrorRedacted(what, wrapped, secrets)
		}
	}
}
