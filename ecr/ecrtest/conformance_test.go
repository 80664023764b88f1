package ecrtest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

// What a session that may push to two repositories does there is as the OCI distribution specification's own program wants it, but for what no session may do.
func TestConformance(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	d := srv.Setup(ecrtest.SetupOptions{})
	srv.CreateRepository(d.Repository("one"))
	srv.CreateRepository(d.Repository("two"))
	both := `["` + repositoryARN("rise/one") + `","` + repositoryARN("rise/two") + `"]`
	password := scopedToken(t, srv, d, strings.ReplaceAll(pushPolicy("both"), `"both"`, both))
	c := realtest.ConformanceOf(t, srv.RegistryHost, "rise/one", "rise/two", "OCI_USERNAME=AWS", "OCI_PASSWORD="+password,
		"OCI_API_MANIFESTS_DELETE=false", "OCI_API_TAGS_DELETE=false", "OCI_API_BLOBS_DELETE=false", "OCI_API_TAGS_LIST=false",
		"OCI_API_BLOBS_DIGEST_HEADER=true", "OCI_API_MANIFESTS_DIGEST_HEADER=true") // beyond 1.1
	require.Positive(t, c.Passed)
	require.Zero(t, c.Failed)
	const (
		noRight  = "a session may not"
		itself   = "ECR does that by itself"
		tagParam = "not in the specification yet"
	)
	off := map[string]string{
		"Manifest delete": noRight, "Manifest delete atomic": noRight, "Tag delete": noRight, "Tag delete atomic": noRight, "Tag listing": noRight,
		"Blob delete": itself, "Blob delete atomic": itself, "Blob upload cancel": itself,
		"Manifest put with tag params": tagParam, "Tag Param": tagParam, "Tag Param sha512": tagParam,
		"Blob anonymous mount": "becomes an upload unless Config.MountWithoutFrom",
		"Sparse Manifests":     "refused by ECR: a manifest's parts have to be there",
	}
	for name, status := range c.Parts {
		if why, ok := off[name]; ok {
			require.Contains(t, []string{"Disabled", "Skip"}, status, name)
			t.Logf("not asked: %s: %s", name, why)
			continue
		}
		require.Equal(t, "Pass", status, name)
	}
	require.Len(t, c.Parts, 28+24)
	require.Equal(t, "Pass", c.Parts["Blobs sha512"])
	require.Equal(t, "Pass", c.Parts["Digest Algorithm sha512"])
}
