package tokenissuer_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
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

// In a thousand pairs of look-alike projects, neither reads, writes, mounts, deletes or lists the other's images in a real registry: not by its grant, not by
// what that is exchanged for, not by either in the other's place.
func TestLookalikes(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, address string, s signing) {
		some := 1
		if !strings.Contains(t.Name(), "docker-registry") {
			some = 4 // the other checks tokens by much the same code: there, every fourth pair
		}
		c := config()
		c.SubRepositories = true
		issuer := newProvider(t, c, s)
		h := issuer.Handler(allGood, nil, silent())
		type project struct{ name, grant, token, blob, repository, below string }
		var families [][]project
		taken := map[string]bool{}
		for _, base := range []string{"hello", "other", "web", "team-blog", "api-server", "prod", "registry", "v2", "rise-apps", "cache"} {
			var family []project
			for _, name := range lookalikes(base) {
				if taken[name] {
					continue
				}
				taken[name] = true
				p := project{name: name, grant: grantFor(t, issuer, push(name)), blob: "secret of " + base + "'s " + name, repository: "rise-apps/" + name}
				p.below = p.repository + "/web"
				p.token = exchange(t, h, p.grant, "repository:"+p.repository+":*,delete,pull,push", "repository:"+p.below+":pull,push").body["token"].(string)
				upload(t, address, p.repository, p.token, p.blob)
				family = append(family, p)
			}
			families = append(families, family)
		}

		url := func(rest string) string { return "http://" + address + "/v2/" + rest }
		// requests are what one may try on another's repository; the first few work for whose it is.
		const work = 5
		requests := func(repository, blob string) [][2]string {
			return [][2]string{
				{http.MethodGet, repository + "/manifests/1"}, {http.MethodHead, repository + "/manifests/" + digest(manifest(blob))},
				{http.MethodGet, repository + "/blobs/" + digest(blob)}, {http.MethodGet, repository + "/tags/list"},
				{http.MethodPost, repository + "/blobs/uploads/"},
				{http.MethodDelete, repository + "/manifests/" + digest(manifest(blob))}, {http.MethodDelete, repository + "/blobs/" + digest(blob)},
				{http.MethodGet, "_catalog"},
			}
		}
		// across is all that one project tries on another.
		across := func(t *testing.T, one, other project) {
			asked := []string{"repository:" + other.repository + ":pull,push,delete,*", "repository:" + other.below + ":pull,push", "registry:catalog:*"}
			refused := exchange(t, h, one.grant, asked...)
			require.Equal(t, http.StatusForbidden, refused.status)
			both := exchange(t, h, one.grant, append(asked, "repository:"+one.repository+":pull,push")...)
			require.Equal(t, []string{"repository:" + one.repository + ":pull,push"}, both.access())
			require.Equal(t, http.StatusUnauthorized, exchange(t, h, one.token, asked...).status, "a token in the grant's place")

			for _, r := range requests(other.repository, other.blob) {
				require.Equal(t, http.StatusUnauthorized, call(t, r[0], url(r[1]), one.token).status, r)
			}
			for _, r := range requests(other.repository, other.blob)[2:5] {
				require.Equal(t, http.StatusUnauthorized, call(t, r[0], url(r[1]), one.grant).status, "a grant in the token's place")
			}
			for _, repository := range []string{other.repository, other.below} {
				require.Equal(t, http.StatusUnauthorized, call(t, http.MethodPut, url(repository+"/manifests/1"), one.token, manifest(one.blob)).status)
				require.Equal(t, http.StatusUnauthorized, call(t, http.MethodPost, url(repository+"/blobs/uploads/?mount="+digest(one.blob)+"&from="+one.repository), one.token).status)
			}
			mount := call(t, http.MethodPost, url(one.repository+"/blobs/uploads/?mount="+digest(other.blob)+"&from="+other.repository), one.token)
			require.Equal(t, http.StatusUnauthorized, mount.status)
			require.Equal(t, http.StatusNotFound, call(t, http.MethodGet, url(one.repository+"/blobs/"+digest(other.blob)), one.token).status)
			around := call(t, http.MethodGet, url(one.repository+"/../"+other.name+"/blobs/"+digest(other.blob)), one.token)
			require.NotEqual(t, http.StatusOK, around.status)
			require.NotContains(t, around.body, "secret")
		}
		var pairs atomic.Int32
		t.Run("across", func(t *testing.T) {
			for _, family := range families {
				t.Run(family[0].name, func(t *testing.T) {
					t.Parallel()
					seen := 0
					for i, one := range family {
						for j, other := range family[:i] {
							if seen++; seen%some != 0 {
								continue
							}
							pairs.Add(1)
							if (i+j)%2 == 0 {
								across(t, one, other)
							} else {
								across(t, other, one)
							}
						}
					}
				})
			}
		})
		require.GreaterOrEqual(t, int(pairs.Load()), 1000/some)

		for _, family := range families { // what is refused to others works for whose it is, and nothing of it has changed
			for _, p := range family {
				for i, r := range requests(p.repository, p.blob) {
					status := call(t, r[0], url(r[1]), p.token).status
					require.Equal(t, i >= work, status == http.StatusUnauthorized, r)
				}
				require.Equal(t, manifest(p.blob), call(t, http.MethodGet, url(p.repository+"/manifests/1"), p.token).body)
				require.JSONEq(t, `{"name":"`+p.repository+`","tags":["1"]}`, call(t, http.MethodGet, url(p.repository+"/tags/list"), p.token).body)
			}
		}
	})
}
