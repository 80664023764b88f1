package tokenserver

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/bearer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Proof is what shows who asks: a user name and a password, or a refresh token.
type Proof struct {
	Username     string
	Password     provider.Secret
	RefreshToken provider.Secret
}

// Question is one for a token.
type Question struct {
	Proof Proof
	// Key is the configuration's that names the account, for hints.
	Key        string
	Repository string
	Actions    []string
}

// Token is an answer's.
type Token struct {
	Text   provider.Secret
	Claims bearer.Claims
	// Ends is until when it is good for certain, by this machine's clock.
	Ends time.Time
	// Known is of whom it was asked.
	Known *Known
}

// Ask asks for a token: one request, unless the registry's challenge has to be read. That it is alive and for this registry alone is certain then; what it
// can do is for [Token.Exactly] to say. The error of a login that isn't taken is [provider.ErrAccessDenied], and of it that of a token which doesn't
// say what it can do is [provider.ErrUnsupported].
func (c *Client) Ask(ctx context.Context, q Question) (Token, error) {
	k, err := c.Known(ctx)
	if err != nil {
		return Token{}, err
	}
	t, err := c.ask(ctx, k, q)
	if err != nil && !IsTemporary(err) && !errors.Is(err, provider.ErrAccessDenied) {
		c.forget(k) // the next one looks whether it is elsewhere now
	}
	return t, err
}

func (c *Client) ask(ctx context.Context, k *Known, q Question) (Token, error) {
	a, err := c.sender.send(ctx, k.request(q), opToken, theTokenServer)
	if err != nil {
		return Token{}, err
	}
	if a.status != http.StatusOK {
		return Token{}, k.refused(a, q)
	}
	text, l, err := read(a.body)
	if err != nil {
		hint := "check that what answers at " + k.Realm.Host + " is the registry's token server, and no website or proxy"
		if page(a) {
			err = errors.New("a web page")
		}
		return Token{}, fail(provider.ErrBadResponse, opToken, hint, "the token server's answer is %w", err)
	}
	if l.claims, err = c.reader.Read(text); err != nil {
		return Token{}, fail(provider.ErrUnsupported, opToken, k.Kind.unsaid(), "%w", err)
	}
	if len(l.claims.Audience) == 0 {
		return Token{}, fail(provider.ErrUnsupported, opToken, k.Kind.unsaid(), "the token doesn't say for which registry it is (aud)")
	}
	if slices.ContainsFunc(l.claims.Audience, func(one string) bool { return one != k.Service }) {
		return Token{}, fail(provider.ErrMisconfigured, opToken, "let the registry's token server make tokens for the asked service alone",
			"the token is for another registry, or for others too: its audience isn't %+q alone", k.Service)
	}
	ends, err := l.ends(a)
	if err != nil {
		return Token{}, err
	}
	return Token{Text: provider.NewSecret(text), Claims: l.claims, Ends: ends, Known: k}, nil
}

// Exactly returns nil if t is good for what q asks, no more and no less. More is [provider.ErrMisconfigured], less [provider.ErrAccessDenied]. Hints are the registry's.
func (t Token) Exactly(q Question) error {
	switch v, what := t.Claims.Judge(q.Repository, q.Actions...); v {
	case bearer.Exact:
		return nil
	case bearer.Less:
		return fail(provider.ErrAccessDenied, opToken, t.Known.Kind.less(q.Key), "asked for %s of %s, the token %s", strings.Join(q.Actions, " and "), q.Repository, what)
	default:
		return fail(provider.ErrMisconfigured, opToken, t.Known.Kind.more(q.Key), "asked for %s of %s, the token %s: it isn't handed out",
			strings.Join(q.Actions, " and "), q.Repository, what)
	}
}

var errLogin = errors.New("the token server refuses the login")

// IsLogin reports whether err is that a login isn't taken, whatever is asked with it.
func IsLogin(err error) bool { return errors.Is(err, errLogin) }

var errQuestion = errors.New("the token server refuses the question")

// IsRefusal reports whether err is that a question isn't answered with a token, be it for the login, for its rights, or since it isn't understood.
func IsRefusal(err error) bool { return errors.Is(err, errQuestion) || IsLogin(err) }

// request makes the question: a form for a refresh token, as Azure has it, and else a GET, which every token server takes.
func (k *Known) request(q Question) *http.Request {
	to := *k.Realm
	scope := "repository:" + q.Repository + ":" + strings.Join(q.Actions, ",")
	if !q.Proof.RefreshToken.IsZero() {
		return form(&to, url.Values{
			"grant_type": {"refresh_token"}, "service": {k.Service}, "scope": {scope}, "refresh_token": {q.Proof.RefreshToken.Reveal()},
		})
	}
	to.RawQuery = "service=" + url.QueryEscape(k.Service) + "&scope=" + url.QueryEscape(scope)
	r := get(&to)
	r.SetBasicAuth(q.Proof.Username, q.Proof.Password.Reveal())
	return r
}

// form makes a request of a form.
func form(to *url.URL, values url.Values) *http.Request {
	text := values.Encode()
	r := get(to)
	r.Method, r.ContentLength = http.MethodPost, int64(len(text))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	r.Body = io.NopCloser(strings.NewReader(text))
	return r
}

// read reads an answer, but not the token in it. Errors end a sentence that begins with "the answer is".
func read(text string) (token string, l life, err error) {
	if !bearer.Valid(text) {
		return "", life{}, errors.New("no JSON")
	}
	var access string
	wrong := bearer.Members(text, func(key, value string) (err error) {
		switch key {
		case "token":
			token, err = textOrNull(value)
		case "access_token":
			access, err = textOrNull(value)
		case "expires_in":
			l.expiresIn, err = seconds(value)
		case "issued_at":
			at, _ := bearer.Text(value)
			l.issuedAt = when(at)
		}
		return err
	})
	token = cmp.Or(token, access)
	switch {
	case errors.Is(wrong, errSeconds):
		return "", life{}, wrong
	case wrong != nil || token == "":
		return "", life{}, errors.New("JSON without a token")
	}
	return token, l, nil
}

// textOrNull is a text; null is as none.
func textOrNull(value string) (string, error) {
	if value == "null" {
		return "", nil
	}
	return bearer.Text(value)
}

// refused makes an error of an answer that isn't 200.
func (k *Known) refused(a answer, q Question) error {
	if e := unexpected(a, opToken, theTokenServer); e != nil {
		return e
	}
	switch a.status {
	case http.StatusUnauthorized:
		return fail(provider.ErrAccessDenied, opToken, k.Kind.refusal(q.Key), "%w of %s: it answered 401", errLogin, q.Key)
	case http.StatusForbidden:
		return fail(provider.ErrAccessDenied, opToken, k.Kind.less(q.Key), "%w: %s of %s isn't for the login of %s: it answered 403",
			errQuestion, strings.Join(q.Actions, " and "), q.Repository, q.Key)
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return fail(provider.ErrMisconfigured, opToken, "check the realm of the registry's challenge, token_url, and that namespace is one that the registry can have",
			"%w, and doesn't understand it: it answered %d", errQuestion, a.status)
	}
	return fail(provider.ErrBadResponse, opToken, "", "the token server answered %d", a.status)
}
