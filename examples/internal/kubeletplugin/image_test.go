package kubeletplugin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/kubeletplugin"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestFind(t *testing.T) {
	t.Parallel()
	const registry = "registry.example.com"
	for image, want := range map[string]kubeletplugin.Found{
		"registry.example.com/apps/hello":                       {Project: "hello"},
		"registry.example.com/apps/hello:v1":                    {Project: "hello", Key: "registry.example.com/apps/hello"},
		"registry.example.com/apps/hello" + digest:              {Project: "hello", Key: "registry.example.com/apps/hello"},
		"registry.example.com/apps/hello:v1" + digest:           {Project: "hello", Key: "registry.example.com/apps/hello"},
		"Registry.EXAMPLE.com/apps/hello":                       {Project: "hello"}, // as it is spelled, or no kubelet finds it
		"registry.example.com/apps/hello-bar":                   {Project: "hello-bar"},
		"registry.example.com/apps/" + strings.Repeat("a", 63):  {Project: strings.Repeat("a", 63)},
		"registry.example.com/apps/a":                           {Project: "a"},
		"registry.example.com/apps/apps":                        {Project: "apps"},
		"registry.example.com/apps":                             {},
		"registry.example.com/hello":                            {},
		"registry.example.com/apps2/hello":                      {},
		"registry.example.com/apps-hello":                       {},
		"registry.example.com/x/apps/hello":                     {},
		"registry.example.com/apps/hello/web":                   {},
		"registry.example.com/apps/hello_web":                   {},
		"registry.example.com/apps/hello.web":                   {},
		"registry.example.com/apps/hello--web":                  {},
		"registry.example.com/apps/" + strings.Repeat("a", 64):  {},
		"registry.example.com:443/apps/hello":                   {}, // the same place, and to kubelets another
		"registry.example.com:5000/apps/hello":                  {},
		"registry.example.com.evil.example/apps/hello":          {},
		"evil.example/registry.example.com/apps/hello":          {},
		"xregistry.example.com/apps/hello":                      {},
		"apps/hello":                                            {},
		"hello":                                                 {},
		"docker.io/apps/hello":                                  {},
		"localhost/apps/hello":                                  {},
		"registry-example-com/apps/hello":                       {},
		"registry.example.com/apps/hello/web:v1" + digest:       {},
		"registry.example.com/library/apps/hello":               {},
		"registry.example.com/apps/" + strings.Repeat("a/", 99): {Key: "bad"},
		"":                                         {Key: "bad"},
		"registry.example.com":                     {},
		"registry.example.com/":                    {Key: "bad"},
		"registry.example.com/apps/":               {Key: "bad"},
		"registry.example.com//apps/hello":         {Key: "bad"},
		"registry.example.com/apps//hello":         {Key: "bad"},
		"registry.example.com/apps/../apps/hello":  {Key: "bad"},
		"registry.example.com/apps/./hello":        {Key: "bad"},
		"registry.example.com/Apps/hello":          {Key: "bad"},
		"registry.example.com/apps/Hello":          {Key: "bad"},
		"registry.example.com/apps/hello:":         {Key: "bad"},
		"registry.example.com/apps/hello@":         {Key: "bad"},
		"registry.example.com/apps/hello@sha256:0": {Key: "bad"},
		"registry.example.com./apps/hello":         {Key: "bad"},
		"registry.example.com/apps/hello ":         {Key: "bad"},
		" registry.example.com/apps/hello":         {Key: "bad"},
		"registry.example.com/apps/hello\n":        {Key: "bad"},
		"registry.example.com/apps/hello\x00":      {Key: "bad"},
		"registry.example.com/apps/hell%6f":        {Key: "bad"},
		"registry.example.com/apps/hello?a=b":      {Key: "bad"},
		"registry.example.com/apps/hello#a":        {Key: "bad"},
		"registry.example.com/apps/ｈello":          {Key: "bad"},
		"ｒegistry.example.com/apps/hello":          {Key: "bad"},
		"*.example.com/apps/hello":                 {Key: "bad"},
		"user@registry.example.com/apps/hello":     {Key: "bad"},
		"https://registry.example.com/apps/hello":  {Key: "bad"},
		strings.Repeat("a", 64):                    {Key: "bad"},
		strings.TrimPrefix(digest, "@"):            {Key: "bad"},
	} {
		images, err := kubeletplugin.NewImages(registry, "apps", false)
		require.NoError(t, err)
		found, ok, err := images.Find(image)
		if want.Key == "bad" {
			require.ErrorIs(t, err, provider.ErrInvalidRequest, "%q", image)
			require.False(t, ok)
			continue
		}
		require.NoError(t, err, "%q", image)
		require.Equal(t, want.Project != "", ok, "%q", image)
		require.Equal(t, want.Project, found.Project, "%q", image)
		if !ok {
			require.Zero(t, found)
			continue
		}
		if want.Key == "" {
			want.Key = image
		}
		require.Equal(t, want.Key, found.Key)
		require.Equal(t, registry+"/apps/"+want.Project, found.Repository.String())
	}
}

// Where a project's credential is good below its repository, so are its images; never beside it.
func TestFindBelow(t *testing.T) {
	t.Parallel()
	images, err := kubeletplugin.NewImages("127.0.0.1:5000", "", true)
	require.NoError(t, err)
	for image, project := range map[string]string{
		"127.0.0.1:5000/hello":             "hello",
		"127.0.0.1:5000/hello/web:v1":      "hello",
		"127.0.0.1:5000/hello/web_x/y.z":   "hello",
		"127.0.0.1:5000/hello-bar/web":     "hello-bar",
		"127.0.0.1:5000/a":                 "a",
		"127.0.0.1:5000/hello.bar/web":     "",
		"127.0.0.1:5000/hello_bar/web":     "",
		"127.0.0.1:5001/hello/web":         "",
		"localhost:5000/hello/web":         "", // loopback too, and to kubelets another
		"127.0.0.1:5000/hello--bar/web":    "",
		"docker.io/127.0.0.1/hello/web":    "",
		"registry.example.com/hello/web":   "",
		"registry.example.com:5000/hello":  "",
		"127.0.0.1:05000/hello":            "",
		"127.0.0.1/hello":                  "",
		"127.0.0.1:5000/hello/web/hello-b": "hello",
	} {
		found, ok, err := images.Find(image)
		require.NoError(t, err, image)
		require.Equal(t, project, found.Project, image)
		require.Equal(t, project != "", ok, image)
		if ok {
			require.Equal(t, "127.0.0.1:5000/"+project, found.Repository.String())
			require.True(t, strings.HasPrefix(image, found.Key) && strings.HasPrefix(found.Key, found.Repository.String()), image)
		}
	}
}

func TestNewImages(t *testing.T) {
	t.Parallel()
	for registry, says := range map[string]string{
		"":                             "RISE_REGISTRY",
		"registry":                     "isn't a host",
		"https://registry.example.com": "isn't a host",
		"registry.example.com/":        "isn't a host",
		"registry.example.com/apps":    "isn't a host",
		"registry.example.com:0":       "isn't a host",
		"registry.example.com:99999":   "isn't a host",
		"registry.example.com:":        "isn't a host",
		"registry.example.com.":        "isn't a host",
		"a b.example.com":              "isn't a host",
		"*.example.com":                "isn't a host",
		"user:pw@registry.example.com": "isn't a host",
		"1.2.3":                        "isn't a host",
		"[::1]":                        "port",
		"registry.example.com":         "",
		"Registry.example.com":         "",
		"registry.example.com:5000":    "",
		"registry:5000":                "",
		"localhost":                    "",
		"127.0.0.1:5000":               "",
		"[::1]:5000":                   "",
		"docker.io":                    "",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com": "",
	} {
		_, err := kubeletplugin.NewImages(registry, "apps", false)
		if says == "" {
			require.NoError(t, err, registry)
			continue
		}
		require.ErrorContains(t, err, says, registry)
	}
	for namespace, fine := range map[string]bool{
		"": true, "/": true, "a": true, "/a/b/": true, "a__b.c-d/e": true, "A": false, "a//b": false, "a..b": false, "a/*": false, "a/-b": false, "a b": false, "..": false,
	} {
		_, err := kubeletplugin.NewImages("registry.example.com", namespace, false)
		if fine {
			require.NoError(t, err, namespace)
			continue
		}
		require.ErrorContains(t, err, "namespace", namespace)
	}
	images, err := kubeletplugin.NewImages("[::1]:5000", "", false)
	require.NoError(t, err)
	found, ok, err := images.Find("[::1]:5000/hello:v1")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "[::1]:5000/hello", found.Key)
}

// Whatever an image is called, the project is the one that its very name says, and the key is that name: no other project's, no other registry's, and
// nothing that a kubelet would take for a pattern.
func FuzzFind(f *testing.F) {
	for _, image := range []string{
		"r.example.com/apps/hello", "R.example.com/apps/hello-bar:v1" + digest, "r.example.com:443/apps/hello", "r.example.com/apps/hello/web",
		"r.example.com/apps//hello", "r.example.com/apps/../x", "*.example.com/apps/hello", "r.example.com/apps/hello%2fx", "a/b", "",
	} {
		f.Add(image, false)
		f.Add(image, true)
	}
	f.Fuzz(func(t *testing.T, image string, below bool) {
		images, err := kubeletplugin.NewImages("r.example.com", "apps", below)
		require.NoError(t, err)
		found, ok, err := images.Find(image)
		if !ok || err != nil {
			require.Zero(t, found)
			return
		}
		require.NoError(t, provider.ValidateProject(found.Project))
		require.Equal(t, "r.example.com/apps/"+found.Project, found.Repository.String())
		rest, is := strings.CutPrefix(image, found.Key)
		require.True(t, is)
		require.True(t, rest == "" || rest[0] == ':' || rest[0] == '@', "%q is cut inside a name", image)
		require.NotContains(t, rest, "/")
		require.False(t, strings.ContainsAny(found.Key, "*?\\%# @[]"), "%q", found.Key)
		host, path, _ := strings.Cut(found.Key, "/")
		require.True(t, strings.EqualFold("r.example.com", host))
		if path != "apps/"+found.Project {
			require.True(t, below)
			require.True(t, strings.HasPrefix(path, "apps/"+found.Project+"/"))
			return
		}
		require.NoError(t, provider.CheckImage(images, found.Project, image), "a tenant may name it")
	})
}
