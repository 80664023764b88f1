package imageregistry_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// The specification's own program finds nothing to complain about, with all of its tests but those that the registry has a reason not to pass.
func TestConformance(t *testing.T) {
	t.Parallel()
	address := serve(t, imageregistry.New(imageregistry.AllowAll))
	c := realtest.ConformanceOf(t, address, "conformance/one", "conformance/two",
		"OCI_API_BLOBS_UPLOAD_CANCEL=true", "OCI_API_BLOBS_DIGEST_HEADER=true", "OCI_API_MANIFESTS_DIGEST_HEADER=true") // beyond 1.1
	require.Positive(t, c.Passed)
	require.Zero(t, c.Failed)
	require.Zero(t, c.Skipped)
	off := map[string]string{
		"Manifest put with tag params": "not in the specification yet",
		"Tag Param":                    "the same",
		"Tag Param sha512":             "the same",
		"Sparse Manifests":             "refused, as by ECR: a manifest's parts have to be there",
	}
	for name, status := range c.Parts {
		if why, ok := off[name]; ok {
			require.Equal(t, "Disabled", status, name)
			t.Logf("not asked: %s: %s", name, why)
			continue
		}
		require.Equal(t, "Pass", status, name)
	}
	require.Len(t, c.Parts, 28+24)
	require.Equal(t, "Pass", c.Parts["Blobs sha512"])
	require.Equal(t, "Pass", c.Parts["Digest Algorithm sha512"])
}
