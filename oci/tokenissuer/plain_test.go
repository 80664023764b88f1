package tokenissuer_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

// registryAnswer is what a registry says.
type registryAnswer struct {
	status         int
	body, location string
}

// plain doesn't follow redirections, and keeps as many connections as there are tests.
var plain = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// call sends one request to a registry, with a bearer token and a body if there are.
func call(t *testing.T, method, url, token string, body ...string) registryAnswer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(strings.Join(body, "")))
	require.NoError(t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	switch {
	case strings.Contains(r.URL.Path, "/manifests/"):
		r.Header.Set("Content-Type", manifestType)
		r.Header.Set("Accept", manifestType)
	case len(body) > 0:
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	resp, err := plain.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return registryAnswer{resp.StatusCode, string(text), resp.Header.Get("Location")}
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// manifest is that of an image whose configuration and layer are one blob.
func manifest(blob string) string {
	part := fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d}`, digest(blob), len(blob))
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]}`, manifestType, part, part)
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// upload pushes a blob and its manifest, as 1.
func upload(t *testing.T, address, repository, token, blob string) {
	t.Helper()
	begun := call(t, http.MethodPost, "http://"+address+"/v2/"+repository+"/blobs/uploads/", token)
	require.Equal(t, http.StatusAccepted, begun.status, begun.body)
	ended := call(t, http.MethodPut, begun.location+"&digest="+digest(blob), token, blob)
	require.Equal(t, http.StatusCreated, ended.status, ended.body)
	named := call(t, http.MethodPut, "http://"+address+"/v2/"+repository+"/manifests/1", token, manifest(blob))
	require.Equal(t, http.StatusCreated, named.status, named.body)
}

// eachRegistry runs a test with each real registry, whose service is host. What its realm says is nobody's.
func eachRegistry(t *testing.T, test func(t *testing.T, address string, s signing)) {
	t.Helper()
	for name, program := range realtest.TokenRegistries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			realtest.Program(t, program)
			address, s := realtest.FreeAddress(t), newSigning(t)
			realtest.TokenRegistryOf(t, program, address, "http://localhost:1/token", host, "rise", s.authorityPEM)
			test(t, address, s)
		})
	}
}
