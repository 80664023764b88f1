package imageregistry_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// serve serves a registry on loopback for real clients.
func serve(t *testing.T, handler http.Handler) (address string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// answer is what a client gets.
type answer struct {
	*httptest.ResponseRecorder
}

// code is the first error's.
func (a answer) code() string {
	var e struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(a.Body.Bytes(), &e) != nil || len(e.Errors) == 0 {
		return ""
	}
	return e.Errors[0].Code
}

// do makes a request without a network. Headers are pairs.
func do(h http.Handler, method, target string, body string, headers ...string) answer {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w}
}

func sha256Of(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func sha512Of(content string) string {
	sum := sha512.Sum512([]byte(content))
	return "sha512:" + hex.EncodeToString(sum[:])
}

// pushBlob uploads a blob in one request.
func pushBlob(t *testing.T, h http.Handler, repository, content string) (digest string) {
	t.Helper()
	digest = sha256Of(content)
	require.Equal(t, http.StatusCreated, do(h, http.MethodPost, "/v2/"+repository+"/blobs/uploads/?digest="+digest, content).Code)
	return digest
}

const (
	imageType = "application/vnd.oci.image.manifest.v1+json"
	indexType = "application/vnd.oci.image.index.v1+json"
)

// imageOf is a manifest with one blob, which it has as configuration and layer.
func imageOf(blob string) string {
	return `{"schemaVersion":2,"mediaType":"` + imageType + `","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + blob + `","size":1},` +
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"` + blob + `","size":1}]}`
}

// pushManifest puts a manifest by tag.
func pushManifest(t *testing.T, h http.Handler, repository, tag, manifest, mediaType string) (digest string) {
	t.Helper()
	a := do(h, http.MethodPut, "/v2/"+repository+"/manifests/"+tag, manifest, "Content-Type", mediaType)
	require.Equal(t, http.StatusCreated, a.Code, a.Body)
	return sha256Of(manifest)
}

// startUpload begins one and returns where it goes on.
func startUpload(t *testing.T, h http.Handler, repository string) (location string) {
	t.Helper()
	a := do(h, http.MethodPost, "/v2/"+repository+"/blobs/uploads/", "")
	require.Equal(t, http.StatusAccepted, a.Code, a.Body)
	return a.Header().Get("Location")
}

// broken is a body that ends with an error after its content.
func broken(content string) io.Reader {
	return io.MultiReader(bytes.NewReader([]byte(content)), errReader{})
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
