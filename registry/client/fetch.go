package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// maxAnswer is many times what an endpoint answers.
const maxAnswer = 256 << 10

// transport returns a transport as http.DefaultTransport is, which anybody may have changed, for few requests and short answers.
func transport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           4,
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// obedient returns a client that goes nowhere but where it is sent.
func obedient(h http.Client) *http.Client {
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	h.Jar = nil
	return &h
}

// place is where a token may go.
type place struct {
	url  string
	name string // without a query, for messages
}

// parsePlace reads a URL that a token may be sent to; errors are the end of a sentence, and don't have it: it may hold a password.
func parsePlace(text string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	if err == nil {
		u.Host = strings.Map(lower, u.Host) // or net/http would ask a proxy for LOCALHOST, without TLS
	}
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("is no URL as https://deploy.example.com")
	case u.User != nil:
		return nil, errors.New("has a user name or a password; the token has a source of its own")
	case u.Fragment != "":
		return nil, errors.New("has a fragment (#)")
	case u.Scheme == "https":
	case u.Scheme != "http":
		return nil, errors.New("is neither https:// nor http://")
	case !insecure && !thisMachine(u.Hostname()):
		return nil, errors.New("is http://, so that whoever is in between could read the token; use https://")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("has a port that is none")
		}
	}
	return u, nil
}

func thisMachine(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return host == "localhost"
}

// lower is of ASCII alone, as other letters' lower case may be of another host's name.
func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r - 'A' + 'a'
	}
	return r
}

func placeOf(u *url.URL) place {
	return place{url: u.String(), name: u.Scheme + "://" + u.Host + u.EscapedPath()}
}

// reply is what a server said, with all of its body.
type reply struct {
	status     int
	header     http.Header
	body       []byte
	asked, got time.Time
}

// fetch asks p with token as bearer token.
func fetch(ctx context.Context, h *http.Client, limit time.Duration, p place, token provider.Secret, agent string) (r reply, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return reply{}, false, &provider.Error{Kind: provider.ErrMisconfigured, Err: fmt.Errorf("%s is no URL that can be asked", p.name)}
	}
	request.Header.Set("Authorization", "Bearer "+token.Reveal())
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", agent)
	r.asked = time.Now()
	response, err := h.Do(request)
	if err != nil {
		err, again = trouble(err, p.name, token)
		return reply{}, again, err
	}
	defer func() { _ = response.Body.Close() }() // it was read, or isn't wanted
	r.status, r.header, r.got = response.StatusCode, response.Header, time.Now()
	r.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		err, again = trouble(err, p.name, token)
		return reply{}, again, err
	}
	if len(r.body) > maxAnswer {
		return reply{}, false, &provider.Error{
			Kind: provider.ErrBadResponse, Hint: notTheEndpoint,
			Err: fmt.Errorf("%s answered %d with more than %d KiB, which can't be a credential", p.name, r.status, maxAnswer>>10),
		}
	}
	return r, false, nil
}

const notTheEndpoint = "check that the URL is the service's, and that no proxy or login page answers in its place"

// retryAfter is the header, zero where there is none that makes sense.
func (r reply) retryAfter() time.Duration {
	text := r.header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(24*time.Hour/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now := r.got
	if date, err := http.ParseTime(r.header.Get("Date")); err == nil { // by the clock that set the other
		now = date
	}
	return min(max(at.Sub(now), 0), 24*time.Hour)
}

// clock says how far this machine's clock is off, by the server's Date; empty: by less than a minute, or there is none.
func (r reply) clock() string {
	date, err := http.ParseTime(r.header.Get("Date"))
	if err != nil {
		return ""
	}
	// Date is cut to seconds, and was written at some time between the two.
	ahead, behind := r.asked.Sub(date), date.Sub(r.got)
	switch {
	case ahead > time.Minute:
		return fmt.Sprintf("this machine's clock is %v ahead of the service's: set it right", ahead.Round(time.Second))
	case behind > time.Minute:
		return fmt.Sprintf("this machine's clock is %v behind the service's: set it right", behind.Round(time.Second))
	}
	return ""
}

// mediaType is what the answer says to be, for messages.
func (r reply) mediaType(token provider.Secret) string {
	mediaType, _, _ := strings.Cut(r.header.Get("Content-Type"), ";")
	if mediaType = strings.TrimSpace(mediaType); mediaType == "" {
		return "something without a media type"
	}
	return quote(mediaType, token)
}

const (
	firstPause   = 500 * time.Millisecond
	longestPause = 10 * time.Second
)

// persist calls try until it succeeds, it says that trying again won't help, or pausing is no use: ctx would have ended then, or worth, which is told
// what failed and how long the pause would be, says no.
func persist[T any](ctx context.Context, worth func(error, time.Duration) bool, try func(context.Context) (v T, again bool, err error)) (T, error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		v, again, err := try(ctx)
		if err == nil || !again {
			return v, err
		}
		wait := pause
		var e *provider.Error
		if errors.As(err, &e) {
			wait = max(wait, e.RetryAfter)
		}
		wait += rand.N(wait/10 + 1) //nolint:gosec // so that not all come back at once; no secret
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait || !worth(err, wait) {
			return v, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return v, err
		}
	}
}
