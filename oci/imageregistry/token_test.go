package imageregistry_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// scopeOf is what the distribution project's token specification calls an access.
func scopeOf(a imageregistry.Access) string {
	switch a.Action {
	case imageregistry.Ping:
		return ""
	case imageregistry.Catalog:
		return "registry:catalog:*"
	case imageregistry.Push:
		return "repository:" + a.Repository + ":push"
	case imageregistry.Delete:
		return "repository:" + a.Repository + ":delete"
	default:
		return "repository:" + a.Repository + ":pull"
	}
}

// With a function that wants tokens, go-containerregistry pushes, mounts and pulls by its challenges alone.
func TestTokens(t *testing.T) {
	t.Parallel()
	images := imageregistry.New(func(r *http.Request, a imageregistry.Access) *imageregistry.Error {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		scope := scopeOf(a)
		if ok && (scope == "" || slices.Contains(strings.Fields(token), scope)) {
			return nil
		}
		return &imageregistry.Error{Status: http.StatusUnauthorized, Code: "UNAUTHORIZED", Message: "a token, please", Header: http.Header{
			"Www-Authenticate": {`Bearer realm="http://` + r.Host + `/token",service="test",scope="` + strings.Replace(scope, ":push", ":pull,push", 1) + `"`},
		}}
	})
	mux := http.NewServeMux()
	mux.Handle("/v2/", images)
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		granted := []string{"login"} // never empty
		for _, scope := range strings.Fields(strings.Join(r.URL.Query()["scope"], " ")) {
			i := strings.LastIndex(scope, ":")
			for action := range strings.SplitSeq(scope[i+1:], ",") {
				if !strings.HasPrefix(scope, "repository:victim:") {
					granted = append(granted, scope[:i+1]+action)
				}
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"token": strings.Join(granted, " ")})
	})
	address := serve(t, mux)
	login := remote.WithAuth(&authn.Basic{Username: "someone", Password: "x"})
	image, err := random.Image(1024, 2)
	require.NoError(t, err)
	ref := func(s string) name.Reference {
		parsed, err := name.ParseReference(address + "/" + s)
		require.NoError(t, err)
		return parsed
	}
	require.NoError(t, remote.Write(ref("team/hello:v1"), image, login))
	got, err := remote.Image(ref("team/hello:v1"), login)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref("team/copy:v1"), got, login)) // mounts
	_, err = remote.Image(ref("team/copy:v1"), login)
	require.NoError(t, err)
	tags, err := remote.List(ref("team/copy:v1").Context(), login)
	require.NoError(t, err)
	require.Equal(t, []string{"v1"}, tags)
	err = remote.Write(ref("victim:v1"), image, login)
	require.ErrorContains(t, err, "401 Unauthorized")

	// A token for the target alone mounts nothing.
	layers, err := image.Layers()
	require.NoError(t, err)
	digest, err := layers[0].Digest()
	require.NoError(t, err)
	query := url.Values{"mount": {digest.String()}, "from": {"team/hello"}}.Encode()
	a := do(images, http.MethodPost, "/v2/mine/blobs/uploads/?"+query, "", "Authorization", "Bearer repository:mine:push")
	require.Equal(t, http.StatusAccepted, a.Code)
	require.Empty(t, a.Header().Get("Www-Authenticate"), "and isn't told so")
	a = do(images, http.MethodPost, "/v2/mine/blobs/uploads/?"+query, "", "Authorization", "Bearer repository:mine:push repository:team/hello:pull")
	require.Equal(t, http.StatusCreated, a.Code)
}
