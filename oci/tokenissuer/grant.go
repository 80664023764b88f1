package tokenissuer

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	// username goes with grants; nothing looks at it.
	username = "rise"
	// maxGrant bounds a grant, in characters: Windows' store for docker's logins ends at 2,560 bytes.
	maxGrant = 1500
	// maxCaller bounds a caller in a grant, in bytes as JSON has it. Of a longer one there are the first keptCaller and a hash.
	maxCaller, keptCaller = 256, 200
	// ahead is how far the clock of who made a grant may be ahead.
	ahead = time.Minute
)

// A grant is what one says, once it was verified.
type grant struct {
	id         string
	request    provider.Request // its caller perhaps cut
	made, ends time.Time        // to the second
}

// claims are a grant's. None is called access: that is what registries look for.
type claims struct {
	Issuer      string          `json:"iss"`
	Service     string          `json:"aud"`
	ID          string          `json:"jti"`
	Caller      string          `json:"sub,omitempty"`
	Made        int64           `json:"iat"`
	Ends        int64           `json:"exp"`
	Project     string          `json:"project,omitempty"`
	ProjectID   string          `json:"project_id,omitempty"`
	AllProjects bool            `json:"all_projects,omitempty"`
	Repository  string          `json:"repository"`
	Rights      provider.Access `json:"rights"`
	Consumer    string          `json:"consumer"`
}

// claimsOf are those of a grant for r, which is valid.
func (s settings) claimsOf(r provider.Request, id string, made, ends time.Time) claims {
	return claims{
		Issuer: s.issuer, Service: s.service, ID: id, Caller: shortCaller(r.Caller), Made: made.Unix(), Ends: ends.Unix(),
		Project: r.Project, ProjectID: r.ProjectID, AllProjects: r.AllProjects, Repository: s.repository(r),
		Rights: r.Access, Consumer: r.Consumer.String(),
	}
}

// newGrant makes a grant for r, which is valid. It ends with the certificate: nobody can say that there will be another.
func (s settings) newGrant(ring *keys.Ring, r provider.Request, now time.Time) (string, grant, error) {
	made := time.Unix(now.Unix(), 0)
	ends := made.Add(s.session)
	if last := ring.Ends(); last.Before(ends) {
		ends = time.Unix(last.Unix(), 0)
	}
	if !now.Before(ends) {
		return "", grant{}, errEnded
	}
	c := s.claimsOf(r, rand.Text(), made, ends)
	text, err := c.encode()
	if err != nil {
		return "", grant{}, err
	}
	signed, err := ring.SignGrant(text)
	return signed, grant{id: c.ID, request: r, made: made, ends: ends}, err
}

// errEnded: nothing is signed with a certificate that has expired, which no registry would take.
var errEnded = errors.New("the signing certificate has expired")

func (c claims) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it makes six characters of one
	if err := e.Encode(c); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// longestGrant is how many characters the longest of all grants has.
func (s settings) longestGrant() int {
	r := provider.Request{
		Project: strings.Repeat("x", provider.MaxProjectLength), ProjectID: strings.Repeat("x", provider.MaxProjectIDLength),
		Access: provider.Push, Consumer: provider.Cluster, Caller: strings.Repeat("x", maxCaller),
	}
	ever := time.Unix(math.MaxInt32, 0)
	text, err := s.claimsOf(r, rand.Text(), ever, ever).encode()
	if err != nil {
		return math.MaxInt
	}
	const header, signature = 96, 32 // bytes: typ, alg, a thumbprint; HMAC-SHA256
	length := base64.RawURLEncoding.EncodedLen
	return length(header) + 1 + length(len(text)) + 1 + length(signature)
}

// shortCaller bounds what a caller adds to a grant.
func shortCaller(caller string) string {
	if jsonLength(caller) <= maxCaller {
		return caller
	}
	size, end := 0, 0
	for i, r := range caller {
		if size += jsonLength(string(r)); size > keptCaller {
			break
		}
		end = i + utf8.RuneLen(r)
	}
	hash := sha256.Sum256([]byte(caller))
	return caller[:end] + "~" + base64.RawURLEncoding.EncodeToString(hash[:])
}

// jsonLength is how long a caller's text, which is printable, is in JSON.
func jsonLength(text string) int {
	return len(text) + strings.Count(text, `"`) + strings.Count(text, `\`)
}

// What is wrong with a grant beside its signature. For who shows it, all but the end is one.
var (
	errExpired  = errors.New("the grant has expired")
	errNotMine  = errors.New("the grant is for another token service, issuer or repository than is configured")
	errNonsense = errors.New("the grant's claims make no sense")
)

// readGrant returns what a grant says, if one of the ring's keys signed it and all of it is as this configuration would have it.
func (s settings) readGrant(ring *keys.Ring, text string, now time.Time) (grant, error) {
	payload, err := ring.VerifyGrant(text)
	if err != nil {
		return grant{}, err
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return grant{}, errNonsense
	}
	g := grant{
		id: c.ID, made: time.Unix(c.Made, 0), ends: time.Unix(c.Ends, 0),
		request: provider.Request{Project: c.Project, ProjectID: c.ProjectID, AllProjects: c.AllProjects, Access: c.Rights, Caller: c.Caller},
	}
	if c.Consumer == provider.Cluster.String() {
		g.request.Consumer = provider.Cluster
	}
	if err := g.request.Validate(); err != nil {
		return grant{}, fmt.Errorf("%w: %w", errNonsense, err)
	}
	// What remains of the claims, and that there are no others, is what they would be if this grant were made here, or else it wasn't.
	again, err := s.claimsOf(g.request, g.id, g.made, g.ends).encode()
	switch {
	case err != nil || g.id == "" || len(g.id) > 64 || !g.ends.After(g.made) || g.ends.Sub(g.made) > maxSessionDuration || g.made.After(now.Add(ahead)):
		return g, errNonsense
	case !bytes.Equal(again, payload):
		return g, errNotMine
	case !now.Before(g.ends):
		return g, errExpired
	}
	return g, nil
}
