package tokenissuer

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
)

// backdated is how far before now a token begins: registries' clocks may be late, and not all are lenient.
const backdated = time.Minute

// access is one element of a token's claim of that name.
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

// String is the scope that asks for it.
func (a access) String() string { return a.Type + ":" + a.Name + ":" + strings.Join(a.Actions, ",") }

// maxAccess bounds that claim, in bytes: tokens have to fit into a header, which many proxies let have 8 KiB.
const maxAccess = 2048

// newToken makes a registry token, which doesn't live longer than the certificate that it is signed with.
func (s settings) newToken(ring *keys.Ring, subject string, granted []access, now time.Time) (token string, ends time.Time, err error) {
	ends = time.Unix(now.Unix(), 0).Add(s.token)
	if last := ring.Ends(); last.Before(ends) {
		ends = time.Unix(last.Unix(), 0)
	}
	if !now.Before(ends) {
		return "", time.Time{}, errEnded
	}
	begins := now.Add(-backdated).Unix()
	text, err := json.Marshal(struct {
		Issuer  string   `json:"iss"`
		Subject string   `json:"sub"`
		Service string   `json:"aud"` // no array: distribution's registry 2.8 takes none
		Ends    int64    `json:"exp"`
		Begins  int64    `json:"nbf"`
		Made    int64    `json:"iat"`
		ID      string   `json:"jti"`
		Access  []access `json:"access"` // never null
	}{s.issuer, shortCaller(strings.Map(shown, subject)), s.service, ends.Unix(), begins, begins, rand.Text(), append([]access{}, granted...)})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("write token: %w", err)
	}
	token, err = ring.SignToken(text)
	return token, ends, err
}

// shown replaces what a subject of a service's own may hold, and a grant's caller never does.
func shown(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}
