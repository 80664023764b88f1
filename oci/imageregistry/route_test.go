package imageregistry_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// asked is an Authorize that allows all and remembers what.
type asked []imageregistry.Access

func (a *asked) authorize(_ *http.Request, access imageregistry.Access) *imageregistry.Error {
	*a = append(*a, access)
	return nil
}

// What the function is told of each route.
func TestRoutes(t *testing.T) {
	t.Parallel()
	blob, blob512 := sha256Of("blob"), sha512Of("blob")
	const id = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	type A = imageregistry.Access
	for _, test := range []struct {
		methods, path string
		want          imageregistry.Access
	}{
		{"GET HEAD", "/v2/", A{Action: imageregistry.Ping}},
		{"GET", "/v2/_catalog", A{Action: imageregistry.Catalog}},
		{"GET", "/v2/_catalog?n=1", A{Action: imageregistry.Catalog}},
		{"GET HEAD", "/v2/a/blobs/" + blob, A{imageregistry.Pull, "a", imageregistry.Blob, blob}},
		{"GET HEAD", "/v2/a/b-c/d__e/blobs/" + blob512, A{imageregistry.Pull, "a/b-c/d__e", imageregistry.Blob, blob512}},
		{"DELETE", "/v2/a/blobs/" + blob, A{imageregistry.Delete, "a", imageregistry.Blob, blob}},
		{"POST", "/v2/a/b/blobs/uploads/", A{imageregistry.Push, "a/b", imageregistry.Upload, ""}},
		{"GET PATCH PUT DELETE", "/v2/a/blobs/uploads/" + id, A{imageregistry.Push, "a", imageregistry.Upload, id}},
		{"GET HEAD", "/v2/a/manifests/v1.0", A{imageregistry.Pull, "a", imageregistry.Manifest, "v1.0"}},
		{"PUT", "/v2/a/manifests/" + blob, A{imageregistry.Push, "a", imageregistry.Manifest, blob}},
		{"DELETE", "/v2/a/manifests/v1.0", A{imageregistry.Delete, "a", imageregistry.Manifest, "v1.0"}},
		{"GET", "/v2/a/tags/list?n=3&last=x", A{Action: imageregistry.ListTags, Repository: "a"}},
		{"GET", "/v2/a/referrers/" + blob, A{imageregistry.ListReferrers, "a", imageregistry.Manifest, blob}},
		// Names that look like routes.
		{"GET", "/v2/a/blobs/uploads/manifests/latest", A{imageregistry.Pull, "a/blobs/uploads", imageregistry.Manifest, "latest"}},
		{"GET", "/v2/a/manifests/tags/list", A{Action: imageregistry.ListTags, Repository: "a/manifests"}},
		{"GET", "/v2/a/tags/manifests/list", A{imageregistry.Pull, "a/tags", imageregistry.Manifest, "list"}},
		{"POST", "/v2/blobs/blobs/uploads/", A{imageregistry.Push, "blobs", imageregistry.Upload, ""}},
		{"POST", "/v2/blobs/uploads/blobs/uploads/", A{imageregistry.Push, "blobs/uploads", imageregistry.Upload, ""}},
		{"GET", "/v2/v2/blobs/" + blob, A{imageregistry.Pull, "v2", imageregistry.Blob, blob}},
		{"GET", "/v2/a/manifests/uploads", A{imageregistry.Pull, "a", imageregistry.Manifest, "uploads"}},
		{"GET", "/v2/a/uploads/manifests/x", A{imageregistry.Pull, "a/uploads", imageregistry.Manifest, "x"}},
	} {
		for method := range strings.FieldsSeq(test.methods) {
			var told asked
			a := do(imageregistry.New(told.authorize), method, test.path, "")
			require.Equal(t, asked{test.want}, told, "%s %s", method, test.path)
			require.Equal(t, "registry/2.0", a.Header().Get("Docker-Distribution-Api-Version"))
			access, err := imageregistry.AccessOf(httptest.NewRequest(method, test.path, nil))
			require.Nil(t, err)
			require.Equal(t, test.want, access, "what will be asked, in advance")
		}
	}
}

// A route has its methods, and no other is asked about.
func TestMethods(t *testing.T) {
	t.Parallel()
	for path, allowed := range map[string]string{
		"/v2/":                                "GET, HEAD",
		"/v2/_catalog":                        "GET",
		"/v2/a/blobs/" + sha256Of(""):         "GET, HEAD, DELETE",
		"/v2/a/blobs/uploads/":                "POST",
		"/v2/a/blobs/uploads/" + "ABCDEFGHIJ": "GET, PATCH, PUT, DELETE",
		"/v2/a/manifests/latest":              "GET, HEAD, PUT, DELETE",
		"/v2/a/referrers/" + sha256Of(""):     "GET",
		"/v2/a/tags/list":                     "GET",
	} {
		for method := range strings.FieldsSeq("GET HEAD POST PUT PATCH DELETE OPTIONS TRACE get") {
			var told asked
			a := do(imageregistry.New(told.authorize), method, path, "")
			if strings.Contains(", "+allowed+",", ", "+method+",") {
				require.Len(t, told, 1, "%s %s", method, path)
				continue
			}
			require.Empty(t, told, "%s %s", method, path)
			require.Equal(t, http.StatusMethodNotAllowed, a.Code, "%s %s", method, path)
			require.Equal(t, allowed, a.Header().Get("Allow"))
			access, err := imageregistry.AccessOf(httptest.NewRequest(method, path, nil))
			require.Equal(t, http.StatusMethodNotAllowed, err.Status)
			require.Zero(t, access)
		}
	}
}

// Paths that aren't a route in its one spelling reach neither the function nor anything else, whatever they would mean to somebody who cleans them.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	blob := sha256Of("secret")
	long := strings.Repeat("a", 256)
	paths := []string{
		"/", "/v1/", "/v2", "/v2//", "//v2/", "/v2/.", "/v2/../v2/", "/V2/", "/v2/_catalog/", "/v2/a/_catalog", "/v2/_catalog/list",
		"/v2/mine/manifests/../../victim/blobs/" + blob,
		"/v2/mine/../victim/blobs/" + blob,
		"/v2/./victim/blobs/" + blob,
		"/v2//victim/blobs/" + blob,
		"/v2/victim//blobs/" + blob,
		"/v2/victim/blobs//" + blob,
		"/v2/victim/blobs/" + blob + "/",
		"/v2/victim/blobs/./" + blob,
		"/v2/mine%2F..%2Fvictim/blobs/" + blob,
		"/v2/mine/%2e%2e/victim/blobs/" + blob,
		"/v2/mine/%2E./victim/blobs/" + blob,
		"/v2/victim%2Fblobs/" + blob,
		"/v2/victim/blobs%2F" + blob,
		"/v2/victim/blobs/" + strings.Replace(blob, ":", "%3A", 1),
		"/v2/%76ictim/blobs/" + blob,
		"/v2/victim%00/blobs/" + blob,
		"/v2/victim%20/blobs/" + blob,
		"/v2/victim;a=b/blobs/" + blob,
		"/v2/victim%3Fx/blobs/" + blob,
		"/v2/victim%23x/blobs/" + blob,
		"/v2/victim\\/blobs/" + blob,
		"/v2/mine%5C..%5Cvictim/blobs/" + blob,
		"/v2/Victim/blobs/" + blob,
		"/v2/vıctim/blobs/" + blob,
		"/v2/-victim/blobs/" + blob, "/v2/victim-/blobs/" + blob, "/v2/vic..tim/blobs/" + blob, "/v2/vic___tim/blobs/" + blob, "/v2/_victim/blobs/" + blob,
		"/v2/" + long + "/blobs/" + blob,
		"/v2/blobs/" + blob, "/v2/blobs/uploads/", "/v2/manifests/latest", "/v2/tags/list", "/v2/referrers/" + blob,
		"/v2/victim/blobs/uploads", "/v2/victim/blobs/uploads/x", "/v2/victim/blobs/uploads/AB/CD", "/v2/victim/blobs/uploads/AB/",
		"/v2/victim/blobs/latest", "/v2/victim/blobs/", "/v2/victim/blobs",
		"/v2/victim/blobs/sha256:" + strings.Repeat("A", 64), "/v2/victim/blobs/sha256:" + strings.Repeat("a", 63), "/v2/victim/blobs/md5:" + strings.Repeat("a", 32),
		"/v2/victim/blobs/sha512:" + strings.Repeat("a", 64), "/v2/victim/blobs/" + blob + "%0A",
		"/v2/victim/manifests/", "/v2/victim/manifests/.hidden", "/v2/victim/manifests/-x", "/v2/victim/manifests/" + strings.Repeat("t", 129), "/v2/victim/manifests/sha256:x",
		"/v2/victim/manifests/a:b", "/v2/victim/manifests/latest%0A",
		"/v2/victim/tags", "/v2/victim/tags/", "/v2/victim/tags/list/", "/v2/victim/tags/all", "/v2/victim/referrers/latest", "/v2/victim/referrers/",
		"/v2/victim", "/v2/victim/", "/metrics", "/v2/../metrics",
	}
	var told asked
	images := imageregistry.New(told.authorize)
	pushBlob(t, images, "victim", "secret")
	pushManifest(t, images, "victim", "latest", imageOf(blob), imageType)
	told = nil
	address := serve(t, images)
	for _, path := range paths {
		for method := range strings.FieldsSeq("GET POST PUT PATCH DELETE") {
			status, text := raw(t, address, method, path)
			require.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed}, status, "%s %s", method, path)
			require.NotContains(t, text, "secret")
			require.Empty(t, told, "%s %s", method, path)
		}
	}
	require.Equal(t, "secret", do(images, http.MethodGet, "/v2/victim/blobs/"+blob, "").Body.String())
}

// raw makes a request whose path no client library touches.
func raw(t *testing.T, address, method, path string) (status int, text string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // read
	_, err = io.WriteString(conn, method+" "+path+" HTTP/1.1\r\nHost: registry\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err, path)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}
