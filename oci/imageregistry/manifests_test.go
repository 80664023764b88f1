package imageregistry_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// Content and Content-Type come back byte for byte, by tag and by digest.
func TestManifests(t *testing.T) {
	t.Parallel()
	images := imageregistry.New(imageregistry.AllowAll)
	const manifest = "{ \"x\":\t1 }\n"
	for _, mediaType := range []string{imageType, "Application/JSON; Charset=UTF-8", "x/" + strings.Repeat("y", 253)} {
		for reference, digest := range map[string]string{
			"v1": sha256Of(manifest), sha256Of(manifest): sha256Of(manifest), sha512Of(manifest): sha512Of(manifest),
		} {
			a := do(images, http.MethodPut, "/v2/a/manifests/"+reference, manifest, "Content-Type", mediaType)
			require.Equal(t, http.StatusCreated, a.Code)
			require.Equal(t, "/v2/a/manifests/"+digest, a.Header().Get("Location"))
			require.Equal(t, digest, a.Header().Get("Docker-Content-Digest"))
			require.Empty(t, a.Header().Get("OCI-Subject"))
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				a = do(images, method, "/v2/a/manifests/"+reference, "")
				require.Equal(t, http.StatusOK, a.Code)
				require.Equal(t, mediaType, a.Header().Get("Content-Type"))
				require.Equal(t, digest, a.Header().Get("Docker-Content-Digest"))
				require.Equal(t, "11", a.Header().Get("Content-Length"))
				require.Equal(t, map[string]string{http.MethodGet: manifest, http.MethodHead: ""}[method], a.Body.String())
			}
		}
	}
	a := do(images, http.MethodPut, "/v2/a/manifests/v2", `{"mediaType":"application/x"}`)
	require.Equal(t, http.StatusCreated, a.Code, "its field says what the header doesn't")
	require.Equal(t, "application/x", do(images, http.MethodGet, "/v2/a/manifests/v2", "").Header().Get("Content-Type"))
	require.Equal(t, "MANIFEST_UNKNOWN", do(images, http.MethodGet, "/v2/a/manifests/v3", "").code())
	require.Equal(t, "NAME_UNKNOWN", do(images, http.MethodGet, "/v2/b/manifests/v1", "").code())

	// A tag goes alone, a manifest with its tags.
	pushManifest(t, images, "a", "other", manifest, imageType)
	require.Equal(t, http.StatusAccepted, do(images, http.MethodDelete, "/v2/a/manifests/v1", "").Code)
	require.Equal(t, http.StatusNotFound, do(images, http.MethodGet, "/v2/a/manifests/v1", "").Code)
	require.Equal(t, http.StatusOK, do(images, http.MethodGet, "/v2/a/manifests/other", "").Code)
	require.Equal(t, http.StatusAccepted, do(images, http.MethodDelete, "/v2/a/manifests/"+sha256Of(manifest), "").Code)
	require.JSONEq(t, `{"name":"a","tags":["v2"]}`, do(images, http.MethodGet, "/v2/a/tags/list", "").Body.String())
}

func TestManifestRefused(t *testing.T) {
	t.Parallel()
	images := imageregistry.New(imageregistry.AllowAll)
	blob := pushBlob(t, images, "a", "blob")
	pushManifest(t, images, "a", "image", imageOf(blob), imageType)
	other := sha256Of("other")
	for name, test := range map[string]struct {
		reference, content, mediaType string
		status                        int
		code                          string
	}{
		"no JSON":            {"v1", "manifest", imageType, 400, "MANIFEST_INVALID"},
		"no object":          {"v1", "[]", imageType, 400, "MANIFEST_INVALID"},
		"cut":                {"v1", `{"layers":[`, imageType, 400, "MANIFEST_INVALID"},
		"empty":              {"v1", "", imageType, 400, "MANIFEST_INVALID"},
		"annotations":        {"v1", `{"annotations":{"a":1}}`, imageType, 400, "MANIFEST_INVALID"},
		"no type":            {"v1", "{}", "", 400, "MANIFEST_INVALID"},
		"long type":          {"v1", "{}", "x/" + strings.Repeat("y", 254), 400, "MANIFEST_INVALID"},
		"another digest":     {other, "{}", imageType, 400, "DIGEST_INVALID"},
		"another sha512":     {sha512Of("other"), "{}", imageType, 400, "DIGEST_INVALID"},
		"too large":          {"v1", `{"x":"` + strings.Repeat("x", 4<<20) + `"}`, imageType, 413, "SIZE_INVALID"},
		"no config":          {"v1", `{"config":{"digest":"` + other + `"}}`, imageType, 404, "MANIFEST_BLOB_UNKNOWN"},
		"no digest":          {"v1", `{"config":{}}`, imageType, 404, "MANIFEST_BLOB_UNKNOWN"},
		"no layer":           {"v1", `{"layers":[{"digest":"` + blob + `"},{"digest":"` + other + `"}]}`, imageType, 404, "MANIFEST_BLOB_UNKNOWN"},
		"a manifest's layer": {"v1", `{"layers":[{"digest":"` + sha256Of(imageOf(blob)) + `"}]}`, imageType, 404, "MANIFEST_BLOB_UNKNOWN"},
		"no image":           {"v1", `{"manifests":[{"mediaType":"` + imageType + `","digest":"` + other + `"}]}`, indexType, 404, "MANIFEST_BLOB_UNKNOWN"},
		"subject":            {"v1", `{"subject":{"digest":"latest"}}`, imageType, 400, "DIGEST_INVALID"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := do(images, http.MethodPut, "/v2/a/manifests/"+test.reference, test.content, "Content-Type", test.mediaType)
			require.Equal(t, test.status, a.Code, a.Body)
			require.Equal(t, test.code, a.code())
			require.Equal(t, http.StatusNotFound, do(images, http.MethodGet, "/v2/a/manifests/"+test.reference, "").Code)
		})
	}
	for name, content := range map[string]string{
		"elsewhere": `{"layers":[{"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip","digest":"` + other + `"},` +
			`{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"` + other + `"}]}`,
		"an index of an image and a blob, as BuildKit's cache": `{"manifests":[{"digest":"` + sha256Of(imageOf(blob)) + `"},{"digest":"` + blob + `"}]}`,
		"no such subject": `{"subject":{"digest":"` + other + `"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pushManifest(t, images, "a", "fine", content, imageType)
		})
	}
}

func TestReferrers(t *testing.T) {
	t.Parallel()
	images := imageregistry.New(imageregistry.AllowAll)
	blob := pushBlob(t, images, "a", "blob")
	subject := pushManifest(t, images, "a", "latest", imageOf(blob), imageType)
	refer := func(more string) (digest string) {
		content := `{"subject":{"digest":"` + subject + `"}` + more + `}`
		a := do(images, http.MethodPut, "/v2/a/manifests/"+sha256Of(content), content, "Content-Type", imageType)
		require.Equal(t, http.StatusCreated, a.Code, a.Body)
		require.Equal(t, subject, a.Header().Get("OCI-Subject"))
		return sha256Of(content)
	}
	signature := refer(`,"artifactType":"application/x-signature","annotations":{"by":"me"}`)
	plain := refer(`,"config":{"mediaType":"application/x-config","digest":"` + blob + `"}`)
	refer(`,"artifactType":"application/x-other"`)
	list := func(query string) answer { return do(images, http.MethodGet, "/v2/a/referrers/"+subject+query, "") }

	require.Equal(t, 3, strings.Count(list("").Body.String(), `"digest"`))
	require.Empty(t, list("").Header().Get("OCI-Filters-Applied"))
	a := list("?artifactType=application/x-signature")
	require.Equal(t, "artifactType", a.Header().Get("OCI-Filters-Applied"))
	require.Equal(t, indexType, a.Header().Get("Content-Type"))
	require.JSONEq(t, `{"schemaVersion":2,"mediaType":"`+indexType+`","manifests":[{"mediaType":"`+imageType+`","digest":"`+signature+`","size":163,`+
		`"artifactType":"application/x-signature","annotations":{"by":"me"}}]}`, a.Body.String())
	a = list("?artifactType=application/x-config")
	require.Contains(t, a.Body.String(), plain, "without an artifactType, its configuration's")
	require.Equal(t, 1, strings.Count(a.Body.String(), `"digest"`))
	require.Contains(t, list("?artifactType=none").Body.String(), `"manifests":[]`)

	require.Equal(t, http.StatusAccepted, do(images, http.MethodDelete, "/v2/a/manifests/"+signature, "").Code)
	require.Contains(t, list("?artifactType=application/x-signature").Body.String(), `"manifests":[]`)
	a = do(images, http.MethodGet, "/v2/nobody/referrers/"+subject, "")
	require.Equal(t, http.StatusOK, a.Code, "never 404, as the specification wants it")
}
