package ecrtest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

const (
	imageType = "application/vnd.oci.image.manifest.v1+json"
	indexType = "application/vnd.oci.image.index.v1+json"
	secret    = "of the victim alone"
	victim    = "rise/victim"
	ownHost   = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
)

// answer is what a client sees.
type answer struct {
	status         int
	location, body string
}

// neighbours is a server on which rise/victim of the server's own registry holds a secret, and everybody else may do anything everywhere: what keeps them apart then
// is not a policy.
type neighbours struct {
	*ecrtest.Server
	key             ecrtest.AccessKey
	password        string
	image           string // the manifest
	layer, manifest string // digests
}

func newNeighbours(t *testing.T, cfg ecrtest.Config) *neighbours {
	t.Helper()
	cfg.InMemory, cfg.OtherRegions = true, []string{"us-east-1"}
	n := &neighbours{Server: newServer(t, cfg)}
	n.key = newAdmin(n.Server)
	n.password = token(t.Context(), t, awsConfig(n.Server, n.key, inMemory(n.Server)))
	const open = `{"Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:*"}}`
	for _, name := range []string{victim, "rise/mine", "rise/victim2", "rise/mine/blobs/of"} {
		n.CreateRepository(ecrtest.Repository{Name: name})
		n.CreateRepository(ecrtest.Repository{Name: name, Account: "999999999999", Policy: open})
		n.CreateRepository(ecrtest.Repository{Name: name, Region: "us-east-1"})
	}
	n.layer = n.push(t, ownHost, victim, secret)
	n.image = imageOf(n.layer)
	put := n.ask(t, ownHost, http.MethodPut, "/v2/"+victim+"/manifests/latest", n.image, imageType)
	require.Equal(t, http.StatusCreated, put.status, put.body)
	n.manifest = put.location[strings.LastIndex(put.location, "/")+1:]
	return n
}

func imageOf(layer string) string {
	return `{"schemaVersion":2,"mediaType":"` + imageType + `","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + layer + `","size":1},"layers":[]}`
}

// ask sends a request to an account's and region's registry.
func (n *neighbours) ask(t *testing.T, host, method, path, body, contentType string) answer {
	t.Helper()
	return n.askWith(t, n.password, host, method, path, body, contentType)
}

func (n *neighbours) askWith(t *testing.T, password, host, method, path, body, contentType string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+host+path, strings.NewReader(body))
	require.NoError(t, err)
	r.SetBasicAuth("AWS", password)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := n.Client().Do(r)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // read
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp.StatusCode, resp.Header.Get("Location"), string(text)}
}

// push uploads a layer.
func (n *neighbours) push(t *testing.T, host, repository, content string) (digest string) {
	t.Helper()
	digest = sha256Of(content)
	a := n.ask(t, host, http.MethodPost, "/v2/"+repository+"/blobs/uploads/?digest="+digest, content, "")
	require.Equal(t, http.StatusCreated, a.status, a.body)
	return digest
}

// places are all repositories but the victim's own, those of the same name in another account and region included.
var places = []struct{ host, repository string }{
	{ownHost, "rise/mine"}, {ownHost, "rise/victim2"}, {ownHost, "rise/mine/blobs/of"},
	{"999999999999.dkr.ecr.eu-west-1.amazonaws.com", victim}, {"999999999999.dkr.ecr.eu-west-1.amazonaws.com", "rise/mine"},
	{"123456789012.dkr.ecr.us-east-1.amazonaws.com", victim}, {"123456789012.dkr.ecr.us-east-1.amazonaws.com", "rise/mine"},
}

func sha256Of(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// passwordFor is n's for the region of a place.
func (n *neighbours) passwordFor(t *testing.T, host string) string {
	t.Helper()
	if strings.Contains(host, "us-east-1") {
		return token(t.Context(), t, awsConfig(n.Server, n.key, inMemory(n.Server), inRegion("us-east-1")))
	}
	return n.password
}

// What is in a repository is in no other, whatever one may do in both: not by digest or tag, as a part of one's own images, or by its upload.
func TestNothingReachesIntoAnotherRepository(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t, ecrtest.Config{MountWithoutFrom: true})
	started := n.ask(t, ownHost, http.MethodPost, "/v2/"+victim+"/blobs/uploads/", "", "")
	require.Equal(t, http.StatusAccepted, started.status)
	require.Equal(t, http.StatusAccepted, n.ask(t, ownHost, http.MethodPatch, started.location, "half", "").status)
	for _, place := range places {
		password := n.passwordFor(t, place.host)
		at := "/v2/" + place.repository
		ask := func(method, path, body, contentType string) answer {
			return n.askWith(t, password, place.host, method, at+path, body, contentType)
		}
		for _, path := range []string{"/blobs/" + n.layer, "/manifests/" + n.manifest, "/manifests/latest"} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				require.Equal(t, http.StatusNotFound, ask(method, path, "", "").status, "%s %v%s", method, place, path)
			}
		}
		require.Equal(t, http.StatusNotFound, ask(http.MethodDelete, "/manifests/"+n.manifest, "", "").status)
		a := ask(http.MethodPut, "/manifests/v1", n.image, imageType)
		require.Equal(t, http.StatusNotFound, a.status, "an image with the victim's layer")
		require.Contains(t, a.body, "Layers with digests '["+n.layer+"]' required")
		a = ask(http.MethodPut, "/manifests/v1", `{"manifests":[{"mediaType":"`+imageType+`","digest":"`+n.manifest+`"}]}`, indexType)
		require.Equal(t, http.StatusNotFound, a.status, "an index with the victim's image")

		upload := strings.TrimPrefix(started.location, "/v2/"+victim)
		for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodPut} {
			require.Equal(t, http.StatusNotFound, ask(method, upload+"?digest="+sha256Of("half"), "", "").status, "%s an upload of the victim's in %v", method, place)
		}
		if place.host != ownHost { // in one registry, whoever may download a layer may mount it
			for _, from := range []string{"&from=" + victim, ""} {
				require.Equal(t, http.StatusAccepted, ask(http.MethodPost, "/blobs/uploads/?mount="+n.layer+from, "", "").status, place)
			}
		}

		refers := `{"schemaVersion":2,"subject":{"mediaType":"` + imageType + `","digest":"` + n.manifest + `","size":1}}`
		require.Equal(t, http.StatusCreated, ask(http.MethodPut, "/manifests/refers", refers, imageType).status)
	}
	require.Contains(t, n.ask(t, ownHost, http.MethodGet, "/v2/"+victim+"/referrers/"+n.manifest, "", "").body, `"manifests":[]`, "others' referrers")
	require.JSONEq(t, `{"name":"`+victim+`","tags":["latest"]}`, n.ask(t, ownHost, http.MethodGet, "/v2/"+victim+"/tags/list", "", "").body)
	a := n.ask(t, ownHost, http.MethodPut, started.location+"?digest="+sha256Of("halfhalf"), "half", "")
	require.Equal(t, http.StatusCreated, a.status, "its own upload goes on where it was")

	client := ecr.NewFromConfig(awsConfig(n.Server, n.key, inMemory(n.Server)))
	for _, repository := range []string{"rise/mine", "rise/mine/blobs/of"} {
		layers, err := client.BatchCheckLayerAvailability(t.Context(), &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: &repository, LayerDigests: []string{n.layer}})
		require.NoError(t, err)
		require.Equal(t, ecrtypes.LayerAvailabilityUnavailable, layers.Layers[0].LayerAvailability)
	}
}

// A token of another region is no token here, whatever its holder may do.
func TestTokenOfAnotherRegion(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t, ecrtest.Config{})
	elsewhere := n.passwordFor(t, "us-east-1")
	for _, path := range []string{"/v2/", "/v2/" + victim + "/blobs/" + n.layer, "/v2/" + victim + "/manifests/latest"} {
		a := n.askWith(t, elsewhere, ownHost, http.MethodGet, path, "", "")
		require.Equal(t, http.StatusForbidden, a.status)
		require.NotContains(t, a.body, secret)
	}
}

// A session for one repository gets nothing of another by ways of writing its name that somebody might read as its own, and isn't asked about.
func TestNamesHaveOneSpelling(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t, ecrtest.Config{})
	policy := `{"Statement":[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},` +
		`{"Effect":"Allow","Action":"ecr:*","Resource":"` + repositoryARN("rise/mine") + `*"}]}`
	key := n.AddUser(ecrtest.User{Name: "tenant", Policies: []string{policy}})
	password := token(t.Context(), t, awsConfig(n.Server, key, inMemory(n.Server)))
	for _, path := range []string{
		"/v2/rise/mine/../victim/blobs/", "/v2/rise/mine/./../victim/blobs/", "/v2/rise/mine%2F..%2Fvictim/blobs/", "/v2/rise/mine/%2e%2e/victim/blobs/",
		"/v2/rise/mine/manifests/../../victim/blobs/", "/v2/rise/mine/blobs/../../victim/blobs/", "/v2/rise/mine//../victim/blobs/", "/v2/rise//victim/blobs/",
		"/v2//rise/victim/blobs/", "/v2/rise%2Fvictim/blobs/", "/v2/rise%2fmine/blobs/", "/v2/rise/mine/blobs/%2e%2e/%2e%2e/victim/blobs/", "/v2/rise/mine%5C..%5Cvictim/blobs/",
		"/v2/./rise/victim/blobs/", "/v2/../v2/rise/victim/blobs/", "/v2/rise/Mine/blobs/", "/v2/rise/mine%00/blobs/", "/v2/rise/mine;/blobs/",
	} {
		n.ResetCalls()
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete} {
			a := n.askWith(t, password, ownHost, method, path+n.layer, "", "")
			require.Equal(t, http.StatusMethodNotAllowed, a.status, "%s %s", method, path)
			require.NotContains(t, a.body, secret)
		}
		for _, call := range n.Calls() {
			require.Empty(t, call.Resource, "%s is asked of policies", path)
			require.Empty(t, call.Action)
		}
	}
	require.Equal(t, http.StatusForbidden, n.askWith(t, password, ownHost, http.MethodGet, "/v2/"+victim+"/blobs/"+n.layer, "", "").status)
	for _, from := range []string{
		victim, "rise/mine/../victim", "rise/mine%2F..%2Fvictim", "/" + victim, victim + "/", "rise//victim", "rise/mine&from=" + victim, victim + "&from=rise/mine", "",
	} {
		a := n.askWith(t, password, ownHost, http.MethodPost, "/v2/rise/mine/blobs/uploads/?mount="+n.layer+"&from="+from, "", "")
		require.Equal(t, http.StatusAccepted, a.status, "mount from %s", from)
		require.Equal(t, http.StatusNotFound, n.askWith(t, password, ownHost, http.MethodHead, "/v2/rise/mine/blobs/"+n.layer, "", "").status)
	}
}

// A layer that "may not be distributed" needn't be there, and has any digest. Nobody learns by it what another repository has.
func TestLayersNamedLikePaths(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t, ecrtest.Config{})
	n.push(t, ownHost, "rise/mine/blobs/of", secret)
	sizes := map[int64]bool{}
	for tag, digest := range map[string]string{"one": "of/blobs/" + n.layer, "two": "of/blobs/" + sha256Of("nothing"), "six": "../../victim/blobs/" + n.layer} {
		body := `{"layers":[{"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar","digest":"` + digest + `"}]}`
		body += strings.Repeat(" ", 300-len(body))
		a := n.ask(t, ownHost, http.MethodPut, "/v2/rise/mine/manifests/"+tag, body, imageType)
		require.Equal(t, http.StatusCreated, a.status, a.body)
		out, err := ecr.NewFromConfig(awsConfig(n.Server, n.key, inMemory(n.Server))).DescribeImages(t.Context(), &ecr.DescribeImagesInput{
			RepositoryName: aws.String("rise/mine"), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: &tag}},
		})
		require.NoError(t, err)
		sizes[*out.ImageDetails[0].ImageSizeInBytes] = true
	}
	require.Equal(t, map[int64]bool{300: true}, sizes)
}

// Who has a name after its repository was deleted finds nothing of what was pushed to that.
func TestNothingOutlivesItsRepository(t *testing.T) {
	t.Parallel()
	for _, byAPI := range []bool{false, true} {
		n := newNeighbours(t, ecrtest.Config{})
		started := n.ask(t, ownHost, http.MethodPost, "/v2/"+victim+"/blobs/uploads/", "", "")
		if byAPI {
			_, err := ecr.NewFromConfig(awsConfig(n.Server, n.key, inMemory(n.Server))).DeleteRepository(t.Context(),
				&ecr.DeleteRepositoryInput{RepositoryName: aws.String(victim), Force: true})
			require.NoError(t, err)
		} else {
			n.DeleteRepository(victim)
		}
		require.Equal(t, http.StatusNotFound, n.ask(t, ownHost, http.MethodPatch, started.location, secret, "").status, "there is no such repository")
		n.CreateRepository(ecrtest.Repository{Name: victim})
		for method, path := range map[string]string{
			http.MethodGet: "/blobs/" + n.layer, http.MethodHead: "/manifests/latest", http.MethodDelete: "/manifests/" + n.manifest,
			http.MethodPatch: strings.TrimPrefix(started.location, "/v2/"+victim),
		} {
			require.Equal(t, http.StatusNotFound, n.ask(t, ownHost, method, "/v2/"+victim+path, "", "").status, "%s %s", method, path)
		}
		require.Equal(t, http.StatusNotFound, n.ask(t, ownHost, http.MethodPut, "/v2/"+victim+"/manifests/v1", n.image, imageType).status)
	}
}
