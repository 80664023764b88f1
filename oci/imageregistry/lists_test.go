package imageregistry_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

func TestLists(t *testing.T) {
	t.Parallel()
	images := imageregistry.New(imageregistry.AllowAll)
	for _, name := range strings.Fields("d a c/x b") {
		pushManifest(t, images, name, "latest", "{}", imageType)
	}
	for _, tag := range strings.Fields("d A b c") {
		pushManifest(t, images, "a", tag, "{}", imageType)
	}
	require.Equal(t, http.StatusAccepted, do(images, http.MethodDelete, "/v2/a/manifests/latest", "").Code)
	for query, want := range map[string]struct{ tags, link string }{
		"":              {`"A","b","c","d"`, ""},
		"?last=b":       {`"c","d"`, ""},
		"?last=bb":      {`"c","d"`, ""},
		"?last=z":       {``, ""},
		"?n=2":          {`"A","b"`, `</v2/a/tags/list?last=b&n=2>; rel="next"`},
		"?n=2&last=b":   {`"c","d"`, ""},
		"?n=1&last=A":   {`"b"`, `</v2/a/tags/list?last=b&n=1>; rel="next"`},
		"?n=4":          {`"A","b","c","d"`, ""},
		"?n=0":          {``, ""},
		"?n=2147483647": {`"A","b","c","d"`, ""},
	} {
		a := do(images, http.MethodGet, "/v2/a/tags/list"+query, "")
		require.JSONEq(t, `{"name":"a","tags":[`+want.tags+`]}`, a.Body.String(), query)
		require.Equal(t, want.link, a.Header().Get("Link"), query)
	}
	a := do(images, http.MethodGet, "/v2/_catalog?n=2&last=a", "")
	require.JSONEq(t, `{"repositories":["b","c/x"]}`, a.Body.String())
	require.Equal(t, `</v2/_catalog?last=c%2Fx&n=2>; rel="next"`, a.Header().Get("Link"))
	for _, path := range []string{"/v2/a/tags/list", "/v2/_catalog"} {
		for _, n := range []string{"-1", "x", "99999999999999999999"} {
			a := do(images, http.MethodGet, path+"?n="+n, "")
			require.Equal(t, http.StatusBadRequest, a.Code)
			require.Equal(t, "PAGINATION_NUMBER_INVALID", a.code())
		}
	}
	require.Equal(t, "NAME_UNKNOWN", do(images, http.MethodGet, "/v2/nobody/tags/list", "").code())
	require.JSONEq(t, `{}`, do(images, http.MethodGet, "/v2/", "").Body.String())
}
