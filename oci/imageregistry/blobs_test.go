package imageregistry_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

func TestBlobs(t *testing.T) {
	t.Parallel()
	for name, digestOf := range map[string]func(string) string{"sha256": sha256Of, "sha512": sha512Of} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			images := imageregistry.New(imageregistry.AllowAll)
			const content = "0123456789"
			blob := digestOf(content)
			a := do(images, http.MethodPost, "/v2/a/blobs/uploads/?digest="+blob, content)
			require.Equal(t, http.StatusCreated, a.Code)
			require.Equal(t, "/v2/a/blobs/"+blob, a.Header().Get("Location"))
			for asked, want := range map[string]struct {
				status         int
				text, gotRange string
			}{
				"":             {http.StatusOK, content, ""},
				"bytes=2-4":    {http.StatusPartialContent, "234", "bytes 2-4/10"},
				"bytes=8-":     {http.StatusPartialContent, "89", "bytes 8-9/10"},
				"bytes=-3":     {http.StatusPartialContent, "789", "bytes 7-9/10"},
				"bytes=10-":    {http.StatusRequestedRangeNotSatisfiable, "", "bytes */10"},
				"bytes=5-2":    {http.StatusRequestedRangeNotSatisfiable, "", ""},
				"bytes=99999-": {http.StatusRequestedRangeNotSatisfiable, "", "bytes */10"},
			} {
				a = do(images, http.MethodGet, "/v2/a/blobs/"+blob, "", "Range", asked)
				require.Equal(t, want.status, a.Code, asked)
				require.Equal(t, want.gotRange, a.Header().Get("Content-Range"), asked)
				if want.text != "" {
					require.Equal(t, want.text, a.Body.String(), asked)
					require.Equal(t, blob, a.Header().Get("Docker-Content-Digest"))
					require.Equal(t, "application/octet-stream", a.Header().Get("Content-Type"))
				}
			}
			a = do(images, http.MethodHead, "/v2/a/blobs/"+blob, "")
			require.Equal(t, "10", a.Header().Get("Content-Length"))
			require.Empty(t, a.Body.String())
			require.Equal(t, "BLOB_UNKNOWN", do(images, http.MethodGet, "/v2/a/blobs/"+digestOf("x"), "").code())
			require.Equal(t, "NAME_UNKNOWN", do(images, http.MethodGet, "/v2/b/blobs/"+blob, "").code())
		})
	}
}

func TestUploads(t *testing.T) {
	t.Parallel()
	images := imageregistry.New(imageregistry.AllowAll)
	location := startUpload(t, images, "a")
	for _, step := range []struct{ method, content, asked, progress string }{
		{http.MethodGet, "", "", "0-0"},
		{http.MethodPatch, "0123", "0-3", "0-3"},
		{http.MethodPatch, "45", "", "0-5"},
		{http.MethodPatch, "67", "6-7", "0-7"},
		{http.MethodGet, "", "", "0-7"},
	} {
		a := do(images, step.method, location, step.content, "Content-Range", step.asked)
		require.Equal(t, map[string]int{http.MethodGet: http.StatusNoContent, http.MethodPatch: http.StatusAccepted}[step.method], a.Code)
		require.Equal(t, step.progress, a.Header().Get("Range"))
		require.Equal(t, location, a.Header().Get("Location"))
		require.Equal(t, location, "/v2/a/blobs/uploads/"+a.Header().Get("Docker-Upload-Uuid"))
	}
	for _, digest := range []string{"", "latest", "sha256:x", "md5:" + strings.Repeat("a", 32)} {
		require.Equal(t, "DIGEST_INVALID", do(images, http.MethodPut, location+"?digest="+digest, "").code(), digest)
	}
	a := do(images, http.MethodPut, location+"?digest="+sha512Of("0123456789"), "89", "Content-Range", "7-8")
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, a.Code)
	require.Equal(t, "0-7", a.Header().Get("Range"))
	a = do(images, http.MethodPut, location+"?digest="+sha512Of("0123456789"), "89", "Content-Range", "8-9")
	require.Equal(t, http.StatusCreated, a.Code)
	require.Equal(t, "0123456789", do(images, http.MethodGet, a.Header().Get("Location"), "").Body.String())
	require.Equal(t, "BLOB_UPLOAD_UNKNOWN", do(images, http.MethodPut, location+"?digest="+sha256Of(""), "").code())

	// A digest without its content: that is to follow. The empty blob has all of it.
	a = do(images, http.MethodPost, "/v2/a/blobs/uploads/?digest="+sha256Of("later"), "")
	require.Equal(t, http.StatusAccepted, a.Code)
	require.Equal(t, http.StatusCreated, do(images, http.MethodPut, a.Header().Get("Location")+"?digest="+sha256Of("later"), "later").Code)
	require.Equal(t, http.StatusCreated, do(images, http.MethodPost, "/v2/a/blobs/uploads/?digest="+sha256Of(""), "").Code)
	require.Equal(t, "DIGEST_INVALID", do(images, http.MethodPost, "/v2/a/blobs/uploads/?digest=latest", "").code())
}

// Many clients at once, in few repositories: for the race detector, and nothing gets lost.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	const clients, steps = 8, 20
	images := imageregistry.New(imageregistry.AllowAll, imageregistry.WithMaxBytes(16<<20))
	shared := startUpload(t, images, "shared")
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			name := fmt.Sprintf("team%d", c%3)
			for s := range steps {
				content := fmt.Sprintf("%d %d", c, s)
				blob, tag := sha256Of(content), fmt.Sprintf("v%d-%d", c, s)
				location := do(images, http.MethodPost, "/v2/"+name+"/blobs/uploads/", "").Header().Get("Location")
				do(images, http.MethodPatch, location, content)
				do(images, http.MethodPut, location+"?digest="+blob, "")
				do(images, http.MethodPut, "/v2/"+name+"/manifests/"+tag, imageOf(blob), "Content-Type", imageType)
				do(images, http.MethodPut, "/v2/"+name+"/manifests/latest", `{"subject":{"digest":"`+blob+`"}}`, "Content-Type", imageType)
				do(images, http.MethodPatch, shared, content)
				do(images, http.MethodPost, "/v2/shared/blobs/uploads/?mount="+blob, "")
				do(images, http.MethodGet, "/v2/shared/blobs/"+blob, "")
				for _, path := range []string{"/tags/list", "/referrers/" + blob, "/manifests/latest", "/manifests/" + tag} {
					do(images, http.MethodGet, "/v2/"+name+path, "")
				}
				do(images, http.MethodGet, "/v2/_catalog", "")
				do(images, http.MethodDelete, "/v2/shared/blobs/"+blob, "")
			}
		})
	}
	wg.Wait()
	for c := range clients {
		for s := range steps {
			name := fmt.Sprintf("team%d", c%3)
			content := fmt.Sprintf("%d %d", c, s)
			require.Equal(t, content, do(images, http.MethodGet, "/v2/"+name+"/blobs/"+sha256Of(content), "").Body.String())
			require.Equal(t, imageOf(sha256Of(content)), do(images, http.MethodGet, fmt.Sprintf("/v2/%s/manifests/v%d-%d", name, c, s), "").Body.String())
		}
	}
}
