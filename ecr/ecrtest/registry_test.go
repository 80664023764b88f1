package ecrtest_test

import (
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// requireRegistryError asserts on the status and message of a registry's answer.
func requireRegistryError(t *testing.T, err error, status int, text string) {
	t.Helper()
	var e *transport.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, status, e.StatusCode, e.Error())
	require.ErrorContains(t, err, text)
}

func digestOf(t *testing.T, img v1.Image) v1.Hash {
	t.Helper()
	h, err := img.Digest()
	require.NoError(t, err)
	return h
}

func layersOf(t *testing.T, img v1.Image) []v1.Layer {
	t.Helper()
	l, err := img.Layers()
	require.NoError(t, err)
	return l
}

func TestPushAndPull(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	d := srv.Setup(ecrtest.SetupOptions{})
	srv.CreateRepository(d.Repository("hello"))
	srv.CreateRepository(d.Repository("other"))
	hello, other := repo(t, srv, "rise/hello"), repo(t, srv, "rise/other")
	push := auth(scopedToken(t, srv, d, pushPolicy(repositoryARN("rise/hello"))))
	pull := auth(scopedToken(t, srv, d, pullPolicy(repositoryARN("rise/hello"))))
	img := randomImage(t)

	require.NoError(t, remote.Write(hello.Tag("v1"), img, push))
	for _, option := range []remote.Option{push, pull} {
		got, err := remote.Image(hello.Tag("v1"), option)
		require.NoError(t, err)
		require.Equal(t, digestOf(t, img), digestOf(t, got))
		for _, layer := range layersOf(t, got) {
			rc, err := layer.Compressed()
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, rc)
			require.NoError(t, err)
		}
	}
	err := remote.Write(hello.Tag("v2"), randomImage(t), pull, fast())
	requireRegistryError(t, err, 403, "User: arn:aws:sts::123456789012:assumed-role/rise-backend-ecr-push/rise-push-test is not "+
		"authorized to perform: ecr:InitiateLayerUpload on resource: "+repositoryARN("rise/hello")+" with an explicit deny in a session policy")
	err = remote.Write(other.Tag("v1"), img, push, fast())
	requireRegistryError(t, err, 403, "403 Forbidden") // ggcr begins with a HEAD, whose answer has no text
	_, err = remote.Image(other.Tag("v1"), push, fast())
	requireRegistryError(t, err, 403, "ecr:BatchGetImage on resource: "+repositoryARN("rise/other"))

	index, err := random.Index(64, 1, 2)
	require.NoError(t, err)
	require.NoError(t, remote.WriteIndex(hello.Tag("index"), index, push))
	_, err = remote.Index(hello.Tag("index"), pull)
	require.NoError(t, err)
}

func TestRegistryAuthentication(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{OtherRegions: []string{"us-east-1"}})
	key := newAdmin(srv)
	here := token(t.Context(), t, awsConfig(srv, key))
	elsewhere := token(t.Context(), t, awsConfig(srv, key, inRegion("us-east-1")))
	for _, test := range []struct {
		name, password string
		status         int
		body           string
	}{
		{"good", here, 200, "{}"},
		{"none", "", 401, "Not Authorized\n"},
		{"unknown", "x", 401, "Not Authorized\n"},
		{"of another region", elsewhere, 403,
			`{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}`},
	} {
		resp := do(t, srv, test.password, http.MethodGet, "/v2/", "")
		require.Equal(t, test.status, resp.StatusCode, test.name)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, test.body, string(body), test.name)
		if test.status == 401 {
			require.Equal(t, `Basic realm="https://`+srv.RegistryHost+`/",service="ecr.amazonaws.com"`,
				resp.Header.Get("WWW-Authenticate"))
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/v2/", nil)
	require.NoError(t, err)
	req.SetBasicAuth("me", here)
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 401, resp.StatusCode, "the user must be AWS")
}

// requests are all that the image registry serves, with the ECR actions that they need.
func TestActionsOfRequests(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/hello"})
	digest := "sha256:" + strings.Repeat("0", 64)
	everything := adminToken(t, srv)
	for _, test := range []struct {
		method, path, body string
		actions            []string
		status             int // when allowed
	}{
		{http.MethodHead, "/v2/rise/hello/blobs/" + digest, "", []string{"BatchCheckLayerAvailability"}, 404},
		{http.MethodGet, "/v2/rise/hello/blobs/" + digest, "", []string{"GetDownloadUrlForLayer"}, 404},
		{http.MethodPost, "/v2/rise/hello/blobs/uploads/", "", []string{"InitiateLayerUpload"}, 202},
		{http.MethodPost, "/v2/rise/hello/blobs/uploads/?digest=" + digest, "x",
			[]string{"InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"}, 400},
		{http.MethodPatch, "/v2/rise/hello/blobs/uploads/A", "x", []string{"UploadLayerPart"}, 404},
		{http.MethodGet, "/v2/rise/hello/blobs/uploads/A", "", []string{"UploadLayerPart"}, 404},
		{http.MethodPut, "/v2/rise/hello/blobs/uploads/A?digest=" + digest, "", []string{"CompleteLayerUpload"}, 404},
		{http.MethodPut, "/v2/rise/hello/blobs/uploads/A?digest=" + digest, "x", []string{"UploadLayerPart",
			"CompleteLayerUpload"}, 404},
		{http.MethodHead, "/v2/rise/hello/manifests/v1", "", []string{"BatchGetImage"}, 404},
		{http.MethodGet, "/v2/rise/hello/manifests/v1", "", []string{"BatchGetImage"}, 404},
		{http.MethodPut, "/v2/rise/hello/manifests/v1", "no JSON", []string{"PutImage"}, 400},
		{http.MethodDelete, "/v2/rise/hello/manifests/v1", "", []string{"BatchDeleteImage"}, 404},
		{http.MethodGet, "/v2/rise/hello/tags/list", "", []string{"ListImages"}, 200},
		{http.MethodGet, "/v2/rise/hello/referrers/" + digest, "", []string{"BatchGetImage"}, 200},
		{http.MethodGet, "/v2/_catalog", "", nil, 405},
		{http.MethodDelete, "/v2/rise/hello/blobs/" + digest, "", nil, 405},
		{http.MethodDelete, "/v2/rise/hello/blobs/uploads/A", "", nil, 405},
		{http.MethodPost, "/v2/rise/hello/manifests/v1", "", nil, 405},
		{http.MethodGet, "/v2/RISE/manifests/v1", "", nil, 405},
		{http.MethodGet, "/v2/rise/../hello/manifests/v1", "", nil, 405},
	} {
		require.Equal(t, test.status, do(t, srv, everything, test.method, test.path, test.body).StatusCode, "%s %s",
			test.method, test.path)
		if test.actions == nil {
			continue
		}
		// Each of the actions is needed, and no other.
		for _, missing := range append([]string{""}, test.actions...) {
			policy := `{"Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken"],"Resource":"*"},` +
				`{"Effect":"Allow","Action":["ecr:` + strings.Join(test.actions,
				`","ecr:`) + `"],"Resource":"` + repositoryARN("rise/hello") + `"}`
			if missing != "" {
				policy += `,{"Effect":"Deny","Action":"ecr:` + missing + `","Resource":"*"}`
			}
			name := "u" + missing + strings.NewReplacer("/", "-", ":", "-", "?", "-", "_", "-").Replace(test.path)
			key := srv.AddUser(ecrtest.User{Name: name[:min(len(name), 60)], Policies: []string{policy + "]}"}})
			resp := do(t, srv, token(t.Context(), t, awsConfig(srv, key)), test.method, test.path, test.body)
			want := test.status
			if missing != "" {
				want = 403
			}
			require.Equal(t, want, resp.StatusCode, "%s %s without %q", test.method, test.path, missing)
			srv.DeleteUser(name[:min(len(name), 60)])
		}
	}
}

func TestMissingRepository(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	d := srv.Setup(ecrtest.SetupOptions{})
	img := randomImage(t)
	err := remote.Write(repo(t, srv, "rise/nothing").Tag("v1"), img, auth(adminToken(t, srv)), fast())
	requireRegistryError(t, err, 404, "NAME_UNKNOWN: The repository with name 'rise/nothing' does not exist in the registry with id '123456789012'")
	// Without a right nobody learns whether it is there.
	scoped := auth(scopedToken(t, srv, d, pushPolicy(repositoryARN("rise/hello"))))
	err = remote.Write(repo(t, srv, "rise/nothing").Tag("v1"), img, scoped, fast())
	requireRegistryError(t, err, 403, "")
}

// A blob of one repository can't be read through another, nor can an upload be moved.
func TestBlobsStayInTheirRepository(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	d := srv.Setup(ecrtest.SetupOptions{})
	srv.CreateRepository(d.Repository("a"))
	srv.CreateRepository(d.Repository("b"))
	img := randomImage(t)
	everything := adminToken(t, srv)
	require.NoError(t, remote.Write(repo(t, srv, "rise/b").Tag("v1"), img, auth(everything)))
	layer, err := layersOf(t, img)[0].Digest()
	require.NoError(t, err)
	scoped := scopedToken(t, srv, d, pushPolicy(repositoryARN("rise/a")))
	for _, password := range []string{scoped, everything} {
		require.Equal(t, 404, do(t, srv, password, http.MethodGet, "/v2/rise/a/blobs/"+layer.String(), "").StatusCode)
		require.Equal(t, 404, do(t, srv, password, http.MethodHead, "/v2/rise/a/blobs/"+layer.String(), "").StatusCode)
		require.Equal(t, 404, do(t, srv, password, http.MethodGet, "/v2/rise/a/manifests/"+digestOf(t, img).String(),
			"").StatusCode)
	}
	raw, err := img.RawManifest()
	require.NoError(t, err)
	resp := do(t, srv, scoped, http.MethodPut, "/v2/rise/a/manifests/v1", string(raw))
	require.Equal(t, 404, resp.StatusCode, "a manifest of blobs that are elsewhere")
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), "Layers with digests")

	resp = do(t, srv, everything, http.MethodPost, "/v2/rise/b/blobs/uploads/", "")
	require.Equal(t, 202, resp.StatusCode)
	location := resp.Header.Get("Location")
	require.True(t, strings.HasPrefix(location, "/v2/rise/b/blobs/uploads/"), location)
	moved := strings.Replace(location, "/rise/b/", "/rise/a/", 1)
	require.Equal(t, 404, do(t, srv, scoped, http.MethodPatch, moved, "x").StatusCode)
	require.Equal(t, 404, do(t, srv, everything, http.MethodPatch, moved, "x").StatusCode)
	require.Equal(t, 403, do(t, srv, scoped, http.MethodPatch, location, "x").StatusCode)
	require.Equal(t, 202, do(t, srv, everything, http.MethodPatch, location, "x").StatusCode)
}

func TestMount(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		cfg     ecrtest.Config
		actions string // allowed on the source
		from    string
		mounted bool
	}{
		{"with the right on the source", ecrtest.Config{}, `"ecr:*"`, "rise/source", true},
		{"without any right on the source", ecrtest.Config{}, "", "rise/source", false},
		{"with the right to see it on the source", ecrtest.Config{}, `"ecr:BatchCheckLayerAvailability"`, "rise/source", false},
		{"with the right to download from the source alone", ecrtest.Config{}, `"ecr:GetDownloadUrlForLayer"`, "rise/source", true},
		{"from a repository without the blob", ecrtest.Config{}, `"ecr:*"`, "rise/target", false},
		{"from a repository that isn't there", ecrtest.Config{}, `"ecr:*"`, "rise/nothing", false},
		{"without from", ecrtest.Config{}, `"ecr:*"`, "", false},
		{"without from, in the other mode", ecrtest.Config{MountWithoutFrom: true}, `"ecr:*"`, "", true},
		{"without from and right, in the other mode", ecrtest.Config{MountWithoutFrom: true}, "", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, test.cfg)
			srv.CreateRepository(ecrtest.Repository{Name: "rise/source"})
			srv.CreateRepository(ecrtest.Repository{Name: "rise/target"})
			img := randomImage(t)
			require.NoError(t, remote.Write(repo(t, srv, "rise/source").Tag("v1"), img, auth(adminToken(t, srv))))
			layer, err := layersOf(t, img)[0].Digest()
			require.NoError(t, err)
			policies := []string{`{"Statement":[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},` +
				`{"Effect":"Allow","Action":"ecr:*","Resource":"` + repositoryARN("rise/target") + `"}]}`}
			if test.actions != "" {
				policies = append(policies, `{"Statement":{"Effect":"Allow","Action":[`+test.actions+`],"Resource":"`+repositoryARN("rise/source")+`"}}`)
			}
			password := token(t.Context(), t, awsConfig(srv, srv.AddUser(ecrtest.User{Name: "u", Policies: policies})))
			path := "/v2/rise/target/blobs/uploads/?mount=" + layer.String()
			if test.from != "" {
				path += "&from=" + test.from
			}
			resp := do(t, srv, password, http.MethodPost, path, "")
			blob := do(t, srv, password, http.MethodGet, "/v2/rise/target/blobs/"+layer.String(), "")
			if test.mounted {
				require.Equal(t, 201, resp.StatusCode)
				require.Equal(t, layer.String(), resp.Header.Get("Docker-Content-Digest"))
				require.Equal(t, 200, blob.StatusCode)
				return
			}
			require.Equal(t, 202, resp.StatusCode, "a plain upload instead")
			require.Equal(t, 404, blob.StatusCode)
		})
	}
}

func TestImmutability(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mutability string
		exclusions []string
		tag        string
		moves      bool
	}{
		{"MUTABLE", nil, "v1", true},
		{"IMMUTABLE", nil, "v1", false},
		{"IMMUTABLE_WITH_EXCLUSION", []string{"dev-*"}, "v1", false},
		{"IMMUTABLE_WITH_EXCLUSION", []string{"dev-*"}, "dev-1", true},
		{"MUTABLE_WITH_EXCLUSION", []string{"v*", "release"}, "v1", false},
		{"MUTABLE_WITH_EXCLUSION", []string{"v*", "release"}, "dev", true},
	} {
		t.Run(test.mutability+" "+test.tag, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, ecrtest.Config{})
			srv.CreateRepository(ecrtest.Repository{Name: "rise/hello", TagMutability: test.mutability,
				MutabilityExclusions: test.exclusions})
			ref, password := repo(t, srv, "rise/hello").Tag(test.tag), auth(adminToken(t, srv))
			first := randomImage(t)
			require.NoError(t, remote.Write(ref, first, password))
			require.NoError(t, remote.Write(ref, first, password), "the same image again")
			err := remote.Write(ref, randomImage(t), password, fast())
			if test.moves {
				require.NoError(t, err)
				return
			}
			requireRegistryError(t, err, 400, "TAG_INVALID: The image tag '"+test.tag+"' already exists in the 'rise/hello' repository "+
				"and cannot be overwritten because the tag is immutable.")
			got, err := remote.Image(ref, password)
			require.NoError(t, err)
			require.Equal(t, digestOf(t, first), digestOf(t, got))
		})
	}
}

func TestCreateOnPush(t *testing.T) {
	t.Parallel()
	const mayPush = `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"ecr:CreateRepository","Resource":"*"}]}`
	for _, test := range []struct {
		name      string
		cfg       ecrtest.Config
		policy    string
		templates []ecrtest.CreationTemplate
		status    int // 0: created
	}{
		{"no template", ecrtest.Config{}, admin, nil, 404},
		{"template", ecrtest.Config{}, admin, []ecrtest.CreationTemplate{onPush("rise")}, 0},
		{"template with a slash", ecrtest.Config{}, admin, []ecrtest.CreationTemplate{onPush("rise/")}, 0},
		{"template for others", ecrtest.Config{}, admin, []ecrtest.CreationTemplate{onPush("ris")}, 404},
		{"template for all", ecrtest.Config{}, admin, []ecrtest.CreationTemplate{onPush("ROOT")}, 0},
		{"template for another case", ecrtest.Config{}, admin,
			[]ecrtest.CreationTemplate{{Prefix: "rise", AppliedFor: []string{"REPLICATION"}}}, 404},
		{"without the right to create", ecrtest.Config{}, mayPush, []ecrtest.CreationTemplate{onPush("rise")}, 403},
		{"without the right to create, unchecked", ecrtest.Config{CreateOnPushUnchecked: true}, mayPush,
			[]ecrtest.CreationTemplate{onPush("rise")}, 0},
		{"without the right to push, unchecked", ecrtest.Config{CreateOnPushUnchecked: true},
			`{"Statement":{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:CreateRepository"],"Resource":"*"}}`,
			[]ecrtest.CreationTemplate{onPush("rise")}, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, test.cfg)
			for _, template := range test.templates {
				srv.AddCreationTemplate(template)
			}
			password := token(t.Context(), t, awsConfig(srv, srv.AddUser(ecrtest.User{Name: "u",
				Policies: []string{test.policy}})))
			err := remote.Write(repo(t, srv, "rise/hello").Tag("v1"), randomImage(t), auth(password), fast())
			made, found := srv.Repository("rise/hello")
			if test.status != 0 {
				requireRegistryError(t, err, test.status, "")
				require.False(t, found)
				return
			}
			require.NoError(t, err)
			require.Equal(t, map[string]string{"from": "template"}, made.Tags)
			require.Equal(t, []string{"v1"}, made.ImageTags)
		})
	}
}

func onPush(prefix string) ecrtest.CreationTemplate {
	return ecrtest.CreationTemplate{Prefix: prefix, AppliedFor: []string{"CREATE_ON_PUSH"},
		Tags: map[string]string{"from": "template"}}
}

func TestImages(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/hello"})
	key := newAdmin(srv)
	password := token(t.Context(), t, awsConfig(srv, key))
	hello, option := repo(t, srv, "rise/hello"), auth(password)
	ctx, client, repository := t.Context(), ecr.NewFromConfig(awsConfig(srv, key)), aws.String("rise/hello")
	first, second := randomImage(t), randomImage(t)
	require.NoError(t, remote.Write(hello.Tag("v1"), first, option))
	require.NoError(t, remote.Tag(hello.Tag("v1b"), first, option))
	require.NoError(t, remote.Write(hello.Tag("v2"), second, option))

	tags, err := remote.List(hello, option)
	require.NoError(t, err)
	require.Equal(t, []string{"v1", "v1b", "v2"}, tags)
	require.Equal(t, 400, do(t, srv, password, http.MethodGet, "/v2/rise/hello/tags/list?n=-1", "").StatusCode)
	seen, _ := srv.Repository("rise/hello")
	require.Equal(t, []string{"v1", "v1b", "v2"}, seen.ImageTags)
	require.Len(t, seen.ImageDigests, 2)

	listed, err := client.ListImages(ctx, &ecr.ListImagesInput{RepositoryName: repository})
	require.NoError(t, err)
	require.Len(t, listed.ImageIds, 3)
	described, err := client.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: repository,
		ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("v1")}}})
	require.NoError(t, err)
	require.Equal(t, digestOf(t, first).String(), *described.ImageDetails[0].ImageDigest)
	require.Equal(t, []string{"v1", "v1b"}, described.ImageDetails[0].ImageTags)
	require.WithinDuration(t, time.Now(), *described.ImageDetails[0].ImagePushedAt, time.Minute)
	got, err := client.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: repository,
		ImageIds: []ecrtypes.ImageIdentifier{
			{ImageTag: aws.String("v2")}, {ImageTag: aws.String("v3")}, {}}})
	require.NoError(t, err)
	raw, err := second.RawManifest()
	require.NoError(t, err)
	require.Equal(t, string(raw), *got.Images[0].ImageManifest)
	require.Equal(t, ecrtypes.ImageFailureCodeImageNotFound, got.Failures[0].FailureCode)
	require.Equal(t, ecrtypes.ImageFailureCodeMissingDigestAndTag, got.Failures[1].FailureCode)
	layer, err := layersOf(t, first)[0].Digest()
	require.NoError(t, err)
	layers, err := client.BatchCheckLayerAvailability(ctx,
		&ecr.BatchCheckLayerAvailabilityInput{RepositoryName: repository,
			LayerDigests: []string{layer.String(), "sha256:" + strings.Repeat("0", 64), "x"}})
	require.NoError(t, err)
	require.Equal(t, ecrtypes.LayerAvailabilityAvailable, layers.Layers[0].LayerAvailability)
	require.Equal(t, ecrtypes.LayerAvailabilityUnavailable, layers.Layers[1].LayerAvailability)
	require.Equal(t, ecrtypes.LayerFailureCodeInvalidLayerDigest, layers.Failures[0].FailureCode)

	// A tag goes; with the last one the image does.
	require.NoError(t, remote.Delete(hello.Tag("v1b"), option))
	_, err = remote.Image(hello.Tag("v1b"), option, fast())
	requireRegistryError(t, err, 404, "MANIFEST_UNKNOWN")
	_, err = remote.Image(hello.Digest(digestOf(t, first).String()), option)
	require.NoError(t, err)
	_, err = client.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RepositoryName: repository,
		ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("v1")}}})
	require.NoError(t, err)
	_, err = remote.Image(hello.Digest(digestOf(t, first).String()), option, fast())
	requireRegistryError(t, err, 404, "MANIFEST_UNKNOWN")
	require.NoError(t, remote.Delete(hello.Digest(digestOf(t, second).String()), option))
	seen, _ = srv.Repository("rise/hello")
	require.Empty(t, seen.ImageTags)
	require.Empty(t, seen.ImageDigests)
	tags, err = remote.List(hello, option)
	require.NoError(t, err)
	require.Empty(t, tags)
}

func TestReferrers(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/hello"})
	hello, option := repo(t, srv, "rise/hello"), auth(adminToken(t, srv))
	img := randomImage(t)
	require.NoError(t, remote.Write(hello.Tag("v1"), img, option))
	size, err := img.Size()
	require.NoError(t, err)
	mediaType, err := img.MediaType()
	require.NoError(t, err)
	signature, ok := mutate.Subject(randomImage(t), v1.Descriptor{MediaType: mediaType, Size: size, Digest: digestOf(t,
		img)}).(v1.Image)
	require.True(t, ok)
	require.NoError(t, remote.Write(hello.Tag("signature"), signature, option))
	index, err := remote.Referrers(hello.Digest(digestOf(t, img).String()), option)
	require.NoError(t, err)
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	require.Len(t, manifest.Manifests, 1)
	require.Equal(t, digestOf(t, signature), manifest.Manifests[0].Digest)
}

// What an index refers to stays, in ECR's words.
func TestReferencedImagesStay(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/hello"})
	hello, option := repo(t, srv, "rise/hello"), auth(adminToken(t, srv))
	index, err := random.Index(64, 1, 1)
	require.NoError(t, err)
	require.NoError(t, remote.WriteIndex(hello.Tag("index"), index, option))
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	part := hello.Digest(manifest.Manifests[0].Digest.String())
	requireRegistryError(t, remote.Delete(part, option, fast()), 403, "DENIED: Requested image referenced by manifest list")
	require.NoError(t, remote.Delete(hello.Tag("index"), option))
	require.NoError(t, remote.Delete(part, option))
	seen, _ := srv.Repository("rise/hello")
	require.Empty(t, seen.ImageDigests)
}

// An image by SHA-512 is one as others are, also at the API.
func TestSHA512(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/hello"})
	key := newAdmin(srv)
	password, client := token(t.Context(), t, awsConfig(srv, key)), ecr.NewFromConfig(awsConfig(srv, key))
	const body = `{"schemaVersion":2,"mediaType":"` + indexType + `","manifests":[]}`
	sum := sha512.Sum512([]byte(body))
	digest := "sha512:" + hex.EncodeToString(sum[:])
	require.Equal(t, 201, do(t, srv, password, http.MethodPut, "/v2/rise/hello/manifests/"+digest, body).StatusCode)
	repository, ids := aws.String("rise/hello"), []ecrtypes.ImageIdentifier{{ImageDigest: &digest}}
	got, err := client.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: repository, ImageIds: ids})
	require.NoError(t, err)
	require.Equal(t, body, *got.Images[0].ImageManifest)
	require.Equal(t, indexType, *got.Images[0].ImageManifestMediaType, "as the manifest has it, without a Content-Type")
	deleted, err := client.BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{RepositoryName: repository, ImageIds: ids})
	require.NoError(t, err)
	require.Equal(t, ids, deleted.ImageIds)
	require.Equal(t, 404, do(t, srv, password, http.MethodGet, "/v2/rise/hello/manifests/"+digest, "").StatusCode)
}

func TestManifestMustHaveItsDigest(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/hello"})
	password := adminToken(t, srv)
	zero := "sha256:" + strings.Repeat("0", 64)
	require.Equal(t, 400, do(t, srv, password, http.MethodPut, "/v2/rise/hello/manifests/"+zero, "{}").StatusCode)
	location := do(t, srv, password, http.MethodPost, "/v2/rise/hello/blobs/uploads/", "").Header.Get("Location")
	require.Equal(t, 400, do(t, srv, password, http.MethodPut, location+"?digest="+zero, "x").StatusCode)
	require.Equal(t, 404, do(t, srv, password, http.MethodHead, "/v2/rise/hello/blobs/"+zero, "").StatusCode)
}

func TestUploadInParts(t *testing.T) {
	t.Parallel()
	const digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of hello
	srv := newServer(t, ecrtest.Config{})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/hello"})
	password := adminToken(t, srv)
	location := do(t, srv, password, http.MethodPost, "/v2/rise/hello/blobs/uploads/", "").Header.Get("Location")
	for i, part := range []string{"he", "ll"} {
		var header []string
		if i == 1 {
			header = []string{"Content-Range", "2-3"}
		}
		resp := do(t, srv, password, http.MethodPatch, location, part, header...)
		require.Equal(t, 202, resp.StatusCode)
		location = resp.Header.Get("Location")
	}
	require.Equal(t, 201, do(t, srv, password, http.MethodPut, location+"?digest="+digest, "o").StatusCode)
	resp := do(t, srv, password, http.MethodGet, "/v2/rise/hello/blobs/"+digest, "")
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "hello", string(body))
	resp = do(t, srv, password, http.MethodGet, "/v2/rise/hello/blobs/"+digest, "", "Range", "bytes=1-2")
	require.Equal(t, 206, resp.StatusCode)
	body, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "el", string(body))
	require.Equal(t, 404, do(t, srv, password, http.MethodPut, location+"?digest="+digest, "o").StatusCode,
		"it is complete")
}

// A name that is used again after a deletion: the old token reaches the new repository, since tokens aren't bound to
// one.
func TestNameReusedAfterDeletion(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	d := srv.Setup(ecrtest.SetupOptions{})
	srv.CreateRepository(d.Repository("hello"))
	old := scopedToken(t, srv, d, pushPolicy(repositoryARN("rise/hello")))
	img := randomImage(t)
	ref := repo(t, srv, "rise/hello").Tag("v1")
	require.NoError(t, remote.Write(ref, img, auth(old)))
	srv.DeleteRepository("rise/hello")
	requireRegistryError(t, remote.Write(ref, img, auth(old), fast()), 403,
		"") // its tags are gone, and with them the right
	srv.CreateRepository(d.Repository("hello"))
	_, err := remote.Image(ref, auth(old), fast())
	requireRegistryError(t, err, 404, "MANIFEST_UNKNOWN")
	require.NoError(t, remote.Write(ref, img, auth(old)))
	// An orphan or a suspended one is out of reach.
	for _, key := range []string{"rise:orphaned", "rise:suspended"} {
		srv.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Tags[key] = "true" })
		requireRegistryError(t, remote.Write(ref, img, auth(old), fast()), 403, "")
		_, err = remote.Image(ref, auth(old), fast())
		requireRegistryError(t, err, 403, "with an explicit deny in an identity-based policy")
		srv.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { delete(r.Tags, key) })
	}
	require.NoError(t, remote.Write(ref, img, auth(old)))
}

func TestTokenLifetimes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		cfg  ecrtest.Config
		live time.Duration
	}{
		{"outlives its session", ecrtest.Config{}, 12 * time.Hour},
		{"dies with its session", ecrtest.Config{TokenDiesWithSession: true}, time.Hour},
		{"its own lifetime", ecrtest.Config{TokenLifetime: 30 * time.Minute}, 30 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				test.cfg.InMemory = true
				srv := newServer(t, test.cfg)
				d := srv.Setup(ecrtest.SetupOptions{})
				key := assumeRole(t, awsConfig(srv, d.ControllerUser, inMemory(srv)), &sts.AssumeRoleInput{RoleArn: &d.PushRoleARN,
					RoleSessionName: aws.String("rise-push-hello")})
				password := token(t.Context(), t, awsConfig(srv, key, inMemory(srv)))
				time.Sleep(test.live - time.Second)
				require.Equal(t, 200, do(t, srv, password, http.MethodGet, "/v2/", "").StatusCode)
				time.Sleep(time.Second)
				resp := do(t, srv, password, http.MethodGet, "/v2/", "")
				require.Equal(t, 403, resp.StatusCode)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.Contains(t, string(body), "Your authorization token has expired. Reauthenticate and try again.")
			})
		})
	}
}

func TestTokenRights(t *testing.T) {
	t.Parallel()
	for _, mode := range []ecrtest.TokenRights{ecrtest.EvaluatedAtUse, ecrtest.FixedAtIssue} {
		srv := newServer(t, ecrtest.Config{TokenRights: mode})
		srv.CreateRepository(ecrtest.Repository{Name: "rise/hello"})
		role := srv.AddRole(ecrtest.Role{Name: "r", Trust: trustOf(`{"AWS":"arn:aws:iam::123456789012:user/admin"}`),
			Policies: []string{admin}})
		key := assumeRole(t, awsConfig(srv, newAdmin(srv)), &sts.AssumeRoleInput{RoleArn: &role,
			RoleSessionName: aws.String("s1")})
		password := token(t.Context(), t, awsConfig(srv, key))
		status := func() int { return do(t, srv, password, http.MethodGet, "/v2/rise/hello/tags/list", "").StatusCode }
		fixed := mode == ecrtest.FixedAtIssue
		require.Equal(t, 200, status())
		// What "Revoke active sessions" attaches to a role.
		srv.UpdateRole("r", func(r *ecrtest.Role) {
			r.Policies = append(r.Policies, `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":`+
				`{"aws:TokenIssueTime":"`+time.Now().Add(time.Minute).UTC().Format(time.RFC3339)+`"}}}}`)
		})
		require.Equal(t, fixed, status() == 200, "revocation, fixed: %v", fixed)
		_, err := ecr.NewFromConfig(awsConfig(srv, key)).GetAuthorizationToken(t.Context(), nil)
		requireCode(t, err, "AccessDeniedException", "with an explicit deny in an identity-based policy")
		srv.UpdateRole("r", func(r *ecrtest.Role) { r.Policies = []string{admin} })
		require.Equal(t, 200, status())
		srv.DeleteRole("r")
		require.Equal(t, fixed, status() == 200, "role deleted, fixed: %v", fixed)
		// The repository's policy is always that of the moment.
		srv.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Policy = denyEverybody })
		require.Equal(t, 403, status())
	}
}

// The questions that AWS leaves open are modes: a session's Denies hold in all of them.
func TestGrantsOfResourcePolicies(t *testing.T) {
	t.Parallel()
	const session = "arn:aws:sts::123456789012:assumed-role/rise-backend-ecr-push/rise-push-test"
	for _, principal := range []string{`"*"`, `{"AWS":"` + session + `"}`} {
		for _, registry := range []bool{false, true} {
			for _, limited := range []bool{false, true} {
				srv := newServer(t, ecrtest.Config{SessionPoliciesLimitGrants: limited})
				d := srv.Setup(ecrtest.SetupOptions{})
				srv.CreateRepository(d.Repository("hello"))
				srv.CreateRepository(d.Repository("other"))
				if registry {
					srv.SetRegistryPolicy(`{"Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*","Principal":` +
						principal + `}}`)
				} else {
					srv.UpdateRepository("rise/other", func(r *ecrtest.Repository) {
						r.Policy = `{"Statement":{"Effect":"Allow","Action":"ecr:*","Principal":` + principal + `}}`
					})
				}
				push := `"ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:CompleteLayerUpload","ecr:GetDownloadUrlForLayer",` +
					`"ecr:InitiateLayerUpload","ecr:PutImage","ecr:UploadLayerPart"`
				allowOnly := scopedToken(t, srv, d, `{"Statement":[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},`+
					`{"Effect":"Allow","Action":[`+push+`],"Resource":"`+repositoryARN("rise/hello")+`"}]}`)
				denying := scopedToken(t, srv, d, pushPolicy(repositoryARN("rise/hello")))
				err := remote.Write(repo(t, srv, "rise/other").Tag("v1"), randomImage(t), auth(allowOnly), fast())
				require.Equal(t, limited, err != nil, "an Allow-only session policy: %v", err)
				err = remote.Write(repo(t, srv, "rise/other").Tag("v1"), randomImage(t), auth(denying), fast())
				requireRegistryError(t, err, 403, "")
				_, err = remote.Image(repo(t, srv, "rise/other").Tag("v1"), auth(denying), fast())
				requireRegistryError(t, err, 403, "with an explicit deny in a session policy")
			}
		}
	}
}

func TestPullRole(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	d := srv.Setup(ecrtest.SetupOptions{PullRole: true, ExternalID: "x-1"})
	srv.CreateRepository(d.Repository("hello"))
	ref := repo(t, srv, "rise/hello").Tag("v1")
	require.NoError(t, remote.Write(ref, randomImage(t), auth(adminToken(t, srv))))
	key := assumeRole(t, awsConfig(srv, d.ControllerUser), &sts.AssumeRoleInput{RoleArn: &d.PullRoleARN,
		RoleSessionName: aws.String("rise-pull-all"), ExternalId: aws.String("x-1")})
	password := auth(token(t.Context(), t, awsConfig(srv, key)))
	_, err := remote.Image(ref, password)
	require.NoError(t, err)
	requireRegistryError(t, remote.Write(ref, randomImage(t), password, fast()), 403, "")
	// From outside AWS: the controller role comes first.
	hop := assumeRole(t, awsConfig(srv, d.OutsideUser), &sts.AssumeRoleInput{RoleArn: &d.ControllerRoleARN,
		RoleSessionName: aws.String("c1")})
	assumeRole(t, awsConfig(srv, hop), &sts.AssumeRoleInput{RoleArn: &d.PushRoleARN,
		RoleSessionName: aws.String("rise-push-x"),
		ExternalId:      aws.String("x-1")})
	_, err = sts.NewFromConfig(awsConfig(srv, d.OutsideUser)).AssumeRole(t.Context(),
		&sts.AssumeRoleInput{RoleArn: &d.PushRoleARN,
			RoleSessionName: aws.String("rise-push-x"), ExternalId: aws.String("x-1")})
	requireCode(t, err, "AccessDenied", "")
}

func TestRegistryThrottling(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/hello"})
	password := adminToken(t, srv)
	defer srv.Inject(ecrtest.Fault{Action: "registry:PutImage", Error: "ThrottlingException"})()
	err := remote.Write(repo(t, srv, "rise/hello").Tag("v1"), randomImage(t), auth(password), fast())
	requireRegistryError(t, err, 429, "TOOMANYREQUESTS: Rate exceeded")
	var body struct{ Errors []struct{ Code string } }
	resp := do(t, srv, password, http.MethodPut, "/v2/rise/hello/manifests/v1", "{}")
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&body))
	require.Equal(t, "TOOMANYREQUESTS", body.Errors[0].Code)
}
