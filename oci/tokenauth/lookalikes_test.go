package tokenauth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// lookalikes are projects whose names are close to that of base, or could be taken for it somewhere.
func lookalikes(base string) []string {
	last := len(base) - 1
	names := []string{
		base, base + "s", base + "1", base + "-1", base + "-web", base + "web", "my" + base, "my-" + base, base[:last], base[1:], base + base, base + "-" + base,
		strings.NewReplacer("o", "0", "l", "1", "e", "3").Replace(base), base[:1] + "-" + base[1:], base[:last] + "-" + base[last:], "rise-apps-" + base,
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return provider.ValidateProject(name) != nil })
}

// In a thousand pairs of look-alike projects, neither reads, writes, mounts, deletes or lists the other's images in a real registry by the token that it is given.
func TestLookalikes(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, "docker-registry")
	p := newProvider(t, u.config())
	type project struct{ name, token, blob, repository string }
	var families [][]project
	taken := map[string]bool{}
	for _, base := range []string{"hello", "other", "web", "team-blog", "api-server", "prod", "registry", "v2", "rise-apps", "cache"} {
		var family []project
		for _, name := range lookalikes(base) {
			if taken[name] {
				continue
			}
			taken[name] = true
			one := project{name: name, token: tokenFor(t, p, push(name)), blob: "secret of " + base + "'s " + name, repository: "rise-apps/" + name}
			require.Equal(t, http.StatusCreated, u.upload(t, one.repository, one.token, one.blob))
			family = append(family, one)
		}
		families = append(families, family)
	}
	pairs := 0
	for _, family := range families {
		for i := range family {
			for j := range i {
				one, other := family[i], family[j]
				if (i+j)%2 == 0 {
					one, other = other, one
				}
				if pairs++; pairs%some != 0 {
					continue
				}
				tries := [][2]string{
					{http.MethodGet, other.repository + "/blobs/" + digest(other.blob)}, {http.MethodPost, other.repository + "/blobs/uploads/"},
					{http.MethodPost, one.repository + "/blobs/uploads/?mount=" + digest(other.blob) + "&from=" + other.repository},
				}
				if j+1 == i { // what depends less on the names, with neighbors alone
					tries = append(tries, [][2]string{
						{http.MethodHead, other.repository + "/blobs/" + digest(other.blob)}, {http.MethodGet, other.repository + "/manifests/1"},
						{http.MethodPut, other.repository + "/manifests/1"}, {http.MethodDelete, other.repository + "/blobs/" + digest(other.blob)},
						{http.MethodPost, other.repository + "/blobs/uploads/?mount=" + digest(one.blob) + "&from=" + one.repository}, {http.MethodGet, "_catalog"},
						{http.MethodGet, other.repository + "/tags/list"},
					}...)
					require.NotEqual(t, http.StatusOK, u.call(t, http.MethodGet, one.repository+"/../"+other.name+"/blobs/"+digest(other.blob), one.token, ""))
				}
				for _, r := range tries {
					require.Equal(t, http.StatusUnauthorized, u.call(t, r[0], r[1], one.token, ""), r)
				}
			}
		}
	}
	require.GreaterOrEqual(t, pairs, 1000)
	for _, family := range families { // what is refused to others works for whose it is
		for _, one := range family {
			require.Equal(t, http.StatusOK, u.call(t, http.MethodGet, one.repository+"/blobs/"+digest(one.blob), one.token, ""))
		}
	}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// call sends a request to the registry and returns the status.
func (u *upstream) call(t *testing.T, method, rest, token, body string) int {
	t.Helper()
	status, _ := u.send(t, method, "http://"+u.behind+"/v2/"+rest, token, body)
	return status
}

func (u *upstream) send(t *testing.T, method, address, token, body string) (status int, location string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode, response.Header.Get("Location")
}

// upload puts a blob into a repository.
func (u *upstream) upload(t *testing.T, repository, token, blob string) int {
	t.Helper()
	status, location := u.send(t, http.MethodPost, "http://"+u.behind+"/v2/"+repository+"/blobs/uploads/", token, "")
	require.Equal(t, http.StatusAccepted, status)
	separator := "?"
	if strings.Contains(location, "?") {
		separator = "&"
	}
	status, _ = u.send(t, http.MethodPut, location+separator+"digest="+digest(blob), token, blob)
	return status
}
