package tokenserver

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/bearer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	// longest is how long a token may live. What registries give by default is minutes to an hour and a quarter.
	longest = 24 * time.Hour
	// lenient is how far clocks may differ.
	lenient = time.Minute
)

// life is what was said of a token's.
type life struct {
	expiresIn time.Duration // 0: nothing
	issuedAt  time.Time
	claims    bearer.Claims
}

// ends returns until when the token is good for certain, by this machine's clock: the earliest of all that was said. Times are by the server's clock, which its
// answer's date tells; so a clock that is off here makes nobody hand out what has ended.
func (l life) ends(a answer) (time.Time, error) {
	bad := func(format string, args ...any) error {
		return fail(provider.ErrBadResponse, opToken, "check the clocks of the registry's token server and of this machine", format, args...)
	}
	exp := l.claims.Expires
	if exp.IsZero() {
		return time.Time{}, fail(provider.ErrUnsupported, opToken, "let the token server put exp into its tokens", "the token doesn't say when it ends")
	}
	earliest, latest := a.began, a.came // the server's clock, when it answered
	date, err := http.ParseTime(a.header.Get("Date"))
	if err == nil {
		earliest, latest = date, date.Add(time.Second) // dates have whole seconds
	}
	left := exp.Sub(latest)
	switch {
	case exp.Sub(earliest) > longest+lenient, exp.Sub(a.came) > 2*longest: // the second whatever the date says
		return time.Time{}, fail(provider.ErrMisconfigured, opToken, "let the registry's token server make tokens that live for an hour or less",
			"the token lives for more than %v", longest)
	case l.claims.NotBefore.Sub(latest) > lenient:
		return time.Time{}, bad("the token isn't good yet, by the clock of its server")
	}
	if l.expiresIn > 0 {
		left = min(left, l.expiresIn)
		if !l.issuedAt.IsZero() {
			left = min(left, l.issuedAt.Add(l.expiresIn).Sub(latest))
		}
	}
	if err != nil && !l.claims.IssuedAt.IsZero() { // no date: its clock shows in when it says that the token was made
		left = min(left, exp.Sub(l.claims.IssuedAt))
	}
	if left <= 0 {
		return time.Time{}, bad("the token has ended already")
	}
	return a.began.Add(left), nil
}

var errSeconds = errors.New("a token with an expires_in that isn't a number of seconds")

// seconds reads expires_in, where null is as none.
func seconds(text string) (time.Duration, error) {
	if text == "null" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(n, 0) || n < 0 || math.IsNaN(n) {
		return 0, errSeconds
	}
	return time.Duration(min(n, 1e9) * float64(time.Second)), nil
}

// when reads issued_at; zero for what can't be read, of which nothing follows.
func when(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t
}
