package imageregistry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// Whatever a request's method, path, query and headers are: nothing panics, the function is told the repository that the path names, and nothing
// is read from or written to a repository that it didn't allow.
func FuzzRequest(f *testing.F) {
	const secret = "of-the-victim"
	repositories := []string{"mine", "victim", "victim/mine", "blobs", "mine/blobs/uploads"}
	blob := sha256Of(secret)
	manifest := sha256Of(imageOf(blob))
	for _, path := range []string{
		"/v2/", "/v2/_catalog", "/v2/mine/blobs/" + blob, "/v2/mine/blobs/uploads/", "/v2/mine/blobs/uploads/UPLOAD", "/v2/mine/manifests/latest", "/v2/mine/manifests/" + manifest,
		"/v2/mine/tags/list", "/v2/mine/referrers/" + manifest, "/v2/mine/manifests/../../victim/blobs/" + blob, "/v2/mine%2f..%2Fvictim/blobs/" + blob,
		"/v2/mine/blobs/uploads/manifests/latest", "/v2/mine//blobs/" + blob, "/v2/victim/mine/blobs/" + sha512Of(secret), "/v2/blobs/blobs/uploads/",
	} {
		f.Add("GET", path, "n=1&last=a&artifactType=x", "", "bytes=0-3", "mine")
		f.Add("PUT", path, "digest="+blob, imageOf(blob), "0-3", "victim")
		f.Add("POST", path, "mount="+blob+"&from=victim", "", "", "mine")
		f.Add("POST", path, "mount="+blob, "", "", "mine")
		f.Add("PATCH", path, "", secret, "0-12", "mine")
		f.Add("DELETE", path, "", "", "", "mine")
	}
	f.Fuzz(func(t *testing.T, method, path, query, body, ranges, allowed string) {
		everything := true
		var told asked
		images := imageregistry.New(func(r *http.Request, a imageregistry.Access) *imageregistry.Error {
			if everything {
				return nil
			}
			_ = told.authorize(r, a)
			if a.Repository == allowed {
				return nil
			}
			return &imageregistry.Error{}
		}, imageregistry.WithMaxBytes(1<<20))
		var uploads []string
		for _, name := range repositories {
			pushBlob(t, images, name, secret)
			pushManifest(t, images, name, "latest", imageOf(blob), imageType)
			location := startUpload(t, images, name)
			require.Equal(t, http.StatusAccepted, do(images, http.MethodPatch, location, secret).Code)
			uploads = append(uploads, location)
		}
		others := slices.DeleteFunc(slices.Clone(repositories), func(name string) bool { return name == allowed })
		state := func() (all []string) {
			everything = true
			defer func() { everything = false }()
			for _, name := range others {
				for _, what := range []string{"/blobs/" + blob, "/manifests/latest", "/manifests/" + manifest, "/tags/list", "/referrers/" + manifest} {
					all = append(all, do(images, http.MethodGet, "/v2/"+name+what, "").Body.String())
				}
				all = append(all, do(images, http.MethodGet, uploads[slices.Index(repositories, name)], "").Header().Get("Range"))
			}
			return all
		}
		before := state()

		_, id, _ := strings.Cut(uploads[1], "/uploads/") // the victim's
		parsed, err := url.ParseRequestURI(strings.ReplaceAll(path, "UPLOAD", id))
		if err != nil {
			return
		}
		parsed.RawQuery = query
		r := &http.Request{
			Method: method, URL: parsed, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
			Header: http.Header{"Range": {ranges}, "Content-Range": {ranges}, "Content-Type": {imageType}},
		}
		w := httptest.NewRecorder()
		images.ServeHTTP(w, r)

		require.Equal(t, before, state(), "of others")
		if len(told) == 0 {
			require.GreaterOrEqual(t, w.Code, 400)
			return
		}
		first := told[0]
		require.True(t, strings.HasPrefix(parsed.EscapedPath(), "/v2/"+first.Repository), "%v", first)
		if first.Repository != "" {
			rest := strings.TrimPrefix(parsed.EscapedPath(), "/v2/"+first.Repository+"/")
			kinds := []string{"tags/list", "blobs/uploads/" + first.Reference, "blobs/" + first.Reference, "manifests/" + first.Reference, "referrers/" + first.Reference}
			require.Contains(t, kinds, rest)
		}
		for _, more := range told[1:] {
			require.Equal(t, imageregistry.MountFrom, more.Action)
		}
		if first.Repository != allowed {
			require.Equal(t, http.StatusForbidden, w.Code)
			require.Len(t, told, 1)
			require.NotContains(t, w.Body.String(), secret)
		}
		for name, values := range w.Header() {
			require.Equal(t, http.CanonicalHeaderKey(name), name)
			for _, v := range values {
				require.False(t, strings.ContainsAny(v, "\r\n\x00"), "%s: %q", name, v)
			}
		}
	})
}
