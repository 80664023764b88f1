package images_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/images"
)

// caller may do what is listed, in every repository, of which there is "hello" alone. Methods that aren't to be called are nil.
type caller struct {
	images.Caller
	admission images.Admission
	actions   string
	asked     []string
}

func (c *caller) Admit() images.Admission { return c.admission }

func (c *caller) Authorize(action, repository string) error {
	c.asked = append(c.asked, action+" "+repository)
	if !strings.Contains(" "+c.actions+" ", " "+action+" ") {
		return errors.New("not " + action)
	}
	return nil
}

func (c *caller) Repository(name string) (images.Repository, bool) { return nil, name == "hello" }

func (c *caller) CreateOnPush(string) (images.Repository, error) { return nil, images.ErrNoTemplate }

func handle(r *images.Registry, c *caller, method, path, body string) images.Response {
	return r.Handle(httptest.NewRequest(method, path, strings.NewReader(body)), []byte(body), c)
}

// Whoever isn't admitted is asked about nothing.
func TestAdmission(t *testing.T) {
	t.Parallel()
	r := images.New(images.Config{Account: "123456789012"})
	for admission, code := range map[images.Admission]string{
		0: "DENIED", images.Expired: "DENIED", images.Deleted: "DENIED", images.Throttled: "TOOMANYREQUESTS", 99: "DENIED",
	} {
		c := &caller{admission: admission, actions: "InitiateLayerUpload"}
		for _, path := range []string{"/v2/", "/v2/hello/blobs/uploads/"} {
			require.Equal(t, code, handle(r, c, http.MethodPost, path, "").Code, "%d", admission)
		}
		require.Empty(t, c.asked)
	}
	c := &caller{admission: images.Admitted, actions: "InitiateLayerUpload"}
	require.Equal(t, http.StatusAccepted, handle(r, c, http.MethodPost, "/v2/hello/blobs/uploads/", "").Status)
}

// Rights come before what there is, and the last right that is missing is as good as all.
func TestRightsComeFirst(t *testing.T) {
	t.Parallel()
	r := images.New(images.Config{Account: "123456789012"})
	c := &caller{admission: images.Admitted, actions: "InitiateLayerUpload UploadLayerPart"}
	for _, name := range []string{"hello", "nothing"} {
		c.asked = nil
		a := handle(r, c, http.MethodPost, "/v2/"+name+"/blobs/uploads/?digest=sha256:"+strings.Repeat("0", 64), "x")
		require.Equal(t, http.StatusForbidden, a.Status)
		require.JSONEq(t, `{"errors":[{"code":"DENIED","message":"not CompleteLayerUpload"}]}`, string(a.Body))
		require.Equal(t, []string{"InitiateLayerUpload " + name, "UploadLayerPart " + name, "CompleteLayerUpload " + name}, c.asked)
	}
	a := handle(r, c, http.MethodPost, "/v2/nothing/blobs/uploads/", "")
	require.Equal(t, "NAME_UNKNOWN", a.Code)
	require.Equal(t, http.StatusNotFound, a.Status)
}

// Two registries have nothing in common.
func TestRegistriesAreApart(t *testing.T) {
	t.Parallel()
	const digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of hello
	one, two := images.New(images.Config{}), images.New(images.Config{})
	c := &caller{admission: images.Admitted, actions: "InitiateLayerUpload UploadLayerPart CompleteLayerUpload GetDownloadUrlForLayer"}
	require.Equal(t, http.StatusCreated, handle(one, c, http.MethodPost, "/v2/hello/blobs/uploads/?digest="+digest, "hello").Status)
	size, ok := one.Layer("hello", digest)
	require.True(t, ok)
	require.EqualValues(t, 5, size)
	for _, elsewhere := range []struct {
		*images.Registry
		repository, digest string
	}{{two, "hello", digest}, {one, "other", digest}, {one, "hel", "lo/blobs/" + digest}, {one, "other", "../../hello/blobs/" + digest}, {one, "hello", ""}, {one, "hello", "latest"}} {
		size, ok = elsewhere.Layer(elsewhere.repository, elsewhere.digest)
		require.False(t, ok)
		require.Zero(t, size)
	}
	require.Equal(t, "BLOB_UNKNOWN", handle(two, c, http.MethodGet, "/v2/hello/blobs/"+digest, "").Code)
	one.DeleteRepository("hello")
	require.Equal(t, "BLOB_UNKNOWN", handle(one, c, http.MethodGet, "/v2/hello/blobs/"+digest, "").Code)
}
