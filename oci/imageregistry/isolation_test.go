package imageregistry_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// only allows everything in some repositories, and MountFrom of what is named besides.
func only(mountFrom string, repositories ...string) imageregistry.Authorize {
	return func(_ *http.Request, a imageregistry.Access) *imageregistry.Error {
		for _, name := range repositories {
			if a.Repository == name {
				return nil
			}
		}
		if a.Action == imageregistry.MountFrom && a.Repository == mountFrom {
			return nil
		}
		return &imageregistry.Error{Status: http.StatusForbidden, Code: "DENIED", Message: "not yours"}
	}
}

// What is in one repository is neither read, used nor deleted through another, even by somebody who may do anything in both.
func TestRepositoriesAreApart(t *testing.T) {
	t.Parallel()
	images := imageregistry.New(imageregistry.AllowAll)
	const secret = "of the victim alone"
	blob := pushBlob(t, images, "victim", secret)
	manifest := pushManifest(t, images, "victim", "latest", imageOf(blob), imageType)
	pushBlob(t, images, "mine", "something")
	neighbours := []string{"mine", "nobody", "victim/mine", "mine/victim", "victi", "victim2"}

	for _, name := range neighbours {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodDelete} {
			for _, path := range []string{"/blobs/" + blob, "/manifests/" + manifest, "/manifests/latest"} {
				a := do(images, method, "/v2/"+name+path, "")
				require.Equal(t, http.StatusNotFound, a.Code, "%s %s%s", method, name, path)
				require.NotContains(t, a.Body.String(), secret)
			}
		}
		a := do(images, http.MethodPut, "/v2/"+name+"/manifests/v1", imageOf(blob), "Content-Type", imageType)
		require.Equal(t, http.StatusNotFound, a.Code, "a manifest with another repository's blob")
		require.Equal(t, "MANIFEST_BLOB_UNKNOWN", a.code())
		index := `{"manifests":[{"mediaType":"` + imageType + `","digest":"` + manifest + `"}]}`
		a = do(images, http.MethodPut, "/v2/"+name+"/manifests/v1", index, "Content-Type", indexType)
		require.Equal(t, "MANIFEST_BLOB_UNKNOWN", a.code(), "an index with another repository's manifest")
		refers := `{"subject":{"digest":"` + manifest + `"}}`
		pushManifest(t, images, name, "refers", refers, imageType)
	}
	require.Contains(t, do(images, http.MethodGet, "/v2/victim/referrers/"+manifest, "").Body.String(), `"manifests":[]`, "others' referrers")
	require.JSONEq(t, `{"name":"victim","tags":["latest"]}`, do(images, http.MethodGet, "/v2/victim/tags/list", "").Body.String())
	require.Equal(t, secret, do(images, http.MethodGet, "/v2/victim/blobs/"+blob, "").Body.String())

	// Deleting one's own copy leaves the other's.
	pushBlob(t, images, "mine", secret)
	require.Equal(t, http.StatusAccepted, do(images, http.MethodDelete, "/v2/mine/blobs/"+blob, "").Code)
	require.Equal(t, secret, do(images, http.MethodGet, "/v2/victim/blobs/"+blob, "").Body.String())
	images.DeleteRepository("mine")
	images.DeleteRepository("nobody")
	require.Equal(t, secret, do(images, http.MethodGet, "/v2/victim/blobs/"+blob, "").Body.String())
	images.DeleteRepository("victim")
	for _, path := range []string{"/blobs/" + blob, "/manifests/" + manifest, "/manifests/latest", "/tags/list"} {
		require.Equal(t, http.StatusNotFound, do(images, http.MethodGet, "/v2/victim"+path, "").Code, path)
	}
}

// An upload goes on where it began.
func TestUploadsAreTheirRepositorys(t *testing.T) {
	t.Parallel()
	images := imageregistry.New(imageregistry.AllowAll)
	location := startUpload(t, images, "victim")
	require.Equal(t, http.StatusAccepted, do(images, http.MethodPatch, location, "half").Code)
	pushBlob(t, images, "mine", "something")
	for _, name := range []string{"mine", "nobody", "victim/mine"} {
		elsewhere := strings.Replace(location, "/victim/", "/"+name+"/", 1)
		for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodPut, http.MethodDelete} {
			a := do(images, method, elsewhere+"?digest="+sha256Of("half"), "")
			require.Equal(t, http.StatusNotFound, a.Code, "%s %s", method, elsewhere)
			require.Equal(t, "BLOB_UPLOAD_UNKNOWN", a.code())
		}
		w := httptest.NewRecorder()
		images.ServeHTTP(w, httptest.NewRequest(http.MethodPatch, elsewhere, errReader{}))
		require.Equal(t, http.StatusNotFound, w.Code, "before the body is read")
	}
	require.Equal(t, "0-3", do(images, http.MethodGet, location, "").Header().Get("Range"))
	require.Equal(t, http.StatusCreated, do(images, http.MethodPut, location+"?digest="+sha256Of("halfhalf"), "half").Code)
	images.DeleteRepository("victim")
	location = startUpload(t, images, "victim")
	images.DeleteRepository("victim")
	require.Equal(t, http.StatusNotFound, do(images, http.MethodGet, location, "").Code)
}

// A blob is mounted only with leave to read it where it is. Whoever has none can't tell whether it is there.
func TestMount(t *testing.T) {
	t.Parallel()
	const secret = "of the victim"
	blob := sha256Of(secret)
	for name, test := range map[string]struct {
		authorize imageregistry.Authorize
		query     string
		mounted   bool
	}{
		"with leave":                    {only("victim", "mine"), "mount=" + blob + "&from=victim", true},
		"without":                       {only("", "mine"), "mount=" + blob + "&from=victim", false},
		"leave for another":             {only("victim2", "mine"), "mount=" + blob + "&from=victim", false},
		"leave for a lookalike":         {only("victim/", "mine"), "mount=" + blob + "&from=victim/", false},
		"two sources":                   {only("victim2", "mine"), "mount=" + blob + "&from=victim2&from=victim", false},
		"no such blob":                  {only("victim", "mine"), "mount=" + sha256Of("other") + "&from=victim", false},
		"no such repository":            {only("nobody", "mine"), "mount=" + blob + "&from=nobody", false},
		"no digest":                     {only("victim", "mine"), "mount=latest&from=victim", false},
		"a path":                        {only("mine/../victim", "mine"), "mount=" + blob + "&from=mine/../victim", false},
		"from anywhere, with leave":     {only("victim", "mine"), "mount=" + blob, true},
		"from anywhere, without":        {only("", "mine"), "mount=" + blob, false},
		"from anywhere, no leave there": {only("other", "mine"), "mount=" + blob, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authorize := imageregistry.AllowAll
			images := imageregistry.New(func(r *http.Request, a imageregistry.Access) *imageregistry.Error {
				require.NotContains(t, a.Repository+"?", "/?", "what is told is valid")
				require.NotContains(t, a.Repository, "..")
				require.NotEqual(t, "latest", a.Reference)
				require.False(t, a.Action == imageregistry.MountFrom && a.Repository == "bystander", "which hasn't the blob")
				return authorize(r, a)
			})
			pushBlob(t, images, "victim", secret)
			pushBlob(t, images, "bystander", "something")
			authorize = test.authorize
			a := do(images, http.MethodPost, "/v2/mine/blobs/uploads/?"+test.query, "")
			there := do(images, http.MethodGet, "/v2/mine/blobs/"+blob, "")
			if test.mounted {
				require.Equal(t, http.StatusCreated, a.Code)
				require.Equal(t, "/v2/mine/blobs/"+blob, a.Header().Get("Location"))
				require.Equal(t, secret, there.Body.String())
				authorize = imageregistry.AllowAll
				require.Equal(t, http.StatusAccepted, do(images, http.MethodDelete, "/v2/mine/blobs/"+blob, "").Code)
				require.Equal(t, secret, do(images, http.MethodGet, "/v2/victim/blobs/"+blob, "").Body.String(), "it stays where it was")
				return
			}
			require.Equal(t, http.StatusAccepted, a.Code, "an upload, as if there were no such blob")
			require.Empty(t, a.Header().Get("Docker-Content-Digest"))
			require.Empty(t, a.Body.String())
			require.Equal(t, http.StatusNotFound, there.Code)
		})
	}
}

// The function hears of a mount's source only after the push into its target is allowed.
func TestMountNeedsPush(t *testing.T) {
	t.Parallel()
	var told asked
	images := imageregistry.New(func(r *http.Request, a imageregistry.Access) *imageregistry.Error {
		_ = told.authorize(r, a)
		return only("victim", "victim")(r, a)
	})
	blob := pushBlob(t, images, "victim", "secret")
	told = nil
	require.Equal(t, http.StatusForbidden, do(images, http.MethodPost, "/v2/mine/blobs/uploads/?from=victim&mount="+blob, "").Code)
	require.Equal(t, asked{{imageregistry.Push, "mine", imageregistry.Upload, ""}}, told)
}

// What is refused changes nothing, and is answered as the function says.
func TestRefused(t *testing.T) {
	t.Parallel()
	const secret = "secret"
	blob := sha256Of(secret)
	manifest := sha256Of(imageOf(blob))
	refusal := &imageregistry.Error{
		Status: http.StatusUnauthorized, Code: "UNAUTHORIZED", Message: `who are "you"?`,
		Header: http.Header{"Www-Authenticate": {`Bearer realm="http://127.0.0.1/token"`, `Basic realm="x"`}, "X-Amzn-Requestid": {"1"}},
	}
	open := true
	images := imageregistry.New(func(*http.Request, imageregistry.Access) *imageregistry.Error {
		if open {
			return nil
		}
		return refusal
	})
	pushBlob(t, images, "victim", secret)
	pushManifest(t, images, "victim", "latest", imageOf(blob), imageType)
	location := startUpload(t, images, "victim")
	open = false
	for _, test := range []struct{ methods, path string }{
		{"GET HEAD", "/v2/"},
		{"GET", "/v2/_catalog"},
		{"GET HEAD DELETE", "/v2/victim/blobs/" + blob},
		{"POST", "/v2/victim/blobs/uploads/"},
		{"POST", "/v2/victim/blobs/uploads/?digest=" + sha256Of("x")},
		{"POST", "/v2/mine/blobs/uploads/?from=victim&mount=" + blob},
		{"GET PATCH PUT DELETE", location + "?digest=" + sha256Of("x")},
		{"GET HEAD PUT DELETE", "/v2/victim/manifests/latest"},
		{"GET HEAD DELETE", "/v2/victim/manifests/" + manifest},
		{"GET", "/v2/victim/tags/list"},
		{"GET", "/v2/victim/referrers/" + manifest},
	} {
		for method := range strings.FieldsSeq(test.methods) {
			a := do(images, method, test.path, "x")
			require.Equal(t, http.StatusUnauthorized, a.Code, "%s %s", method, test.path)
			require.Equal(t, refusal.Header["Www-Authenticate"], a.Header()["Www-Authenticate"])
			require.Equal(t, "1", a.Header().Get("X-Amzn-Requestid"))
			if method == http.MethodHead {
				require.Empty(t, a.Body.String())
			} else {
				require.JSONEq(t, `{"errors":[{"code":"UNAUTHORIZED","message":"who are \"you\"?"}]}`, a.Body.String())
			}
		}
	}
	refusal = &imageregistry.Error{}
	a := do(images, http.MethodGet, "/v2/", "")
	require.Equal(t, http.StatusForbidden, a.Code, "the zero Error")
	require.Equal(t, "DENIED", a.code())
	open = true
	require.JSONEq(t, `{"repositories":["victim"]}`, do(images, http.MethodGet, "/v2/_catalog", "").Body.String())
	require.Equal(t, secret, do(images, http.MethodGet, "/v2/victim/blobs/"+blob, "").Body.String())
	require.Equal(t, imageOf(blob), do(images, http.MethodGet, "/v2/victim/manifests/latest", "").Body.String())
	require.Equal(t, "0-0", do(images, http.MethodGet, location, "").Header().Get("Range"))
	require.JSONEq(t, `{"name":"victim","tags":["latest"]}`, do(images, http.MethodGet, "/v2/victim/tags/list", "").Body.String())
}

func TestNewWantsAFunction(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { imageregistry.New(nil) })
}

func TestActionString(t *testing.T) {
	t.Parallel()
	require.Equal(t, "none, mount from, catalog, none",
		fmt.Sprintf("%v, %v, %v, %v", imageregistry.Action(0), imageregistry.MountFrom, imageregistry.Catalog, imageregistry.Action(99)))
}
