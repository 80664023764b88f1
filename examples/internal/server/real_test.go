package server_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// login is the client's own login at a registry, as docker login would leave it.
func login(t *testing.T, registry string) (file string) {
	t.Helper()
	auth := base64.StdEncoding.EncodeToString([]byte(realtest.User + ":" + realtest.Password))
	file = filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, registry, auth), 0o600))
	return file
}

// ownLogin is the same for go-containerregistry.
func ownLogin(authentication bool) remote.Option {
	if !authentication {
		return remote.WithAuth(authn.Anonymous)
	}
	return remote.WithAuth(&authn.Basic{Username: realtest.User, Password: realtest.Password})
}

// Each client pushes to the reference that the library names, with the client's own login.
func TestRealClientsPush(t *testing.T) {
	t.Parallel()
	for _, authentication := range []bool{false, true} {
		t.Run(map[bool]string{false: "open", true: "htpasswd"}[authentication], func(t *testing.T) {
			t.Parallel()
			address := realtest.Registry(t, authentication)
			s := start(t, files(t, map[string]string{"development.yaml": ociConfig(address)}))
			c := s.issue(t, "ci-token-of-hello")
			require.Equal(t, address+"/rise-apps/hello", c.RegistryURL)
			require.Equal(t, "login_credentials", c.AuthMethod)
			require.Empty(t, c.Username)
			require.Empty(t, c.Password)
			require.Nil(t, c.ExpiresIn)

			pushed := func(t *testing.T, tag string) {
				t.Helper()
				ref, err := name.NewTag(c.RegistryURL + ":" + tag)
				require.NoError(t, err)
				_, err = remote.Image(ref, ownLogin(authentication))
				require.NoError(t, err, "it is where the answer says")
			}
			t.Run("go-containerregistry", func(t *testing.T) {
				t.Parallel()
				image, err := random.Image(1024, 3)
				require.NoError(t, err)
				ref, err := name.NewTag(c.RegistryURL + ":ggcr")
				require.NoError(t, err)
				require.NoError(t, remote.Write(ref, image, ownLogin(authentication)))
				pushed(t, "ggcr")
			})
			t.Run("skopeo", func(t *testing.T) {
				t.Parallel()
				skopeo := realtest.Program(t, "skopeo")
				image, err := random.Image(1024, 3)
				require.NoError(t, err)
				dir := t.TempDir()
				images, err := layout.Write(dir, empty.Index)
				require.NoError(t, err)
				require.NoError(t, images.AppendImage(image))
				args := []string{"copy", "--insecure-policy", "--dest-tls-verify=false"}
				if authentication {
					args = append(args, "--authfile", login(t, address))
				}
				realtest.Must(t, nil, skopeo, append(args, "oci:"+dir, "docker://"+c.RegistryURL+":skopeo")...)
				pushed(t, "skopeo")
			})
			t.Run("docker", func(t *testing.T) {
				t.Parallel()
				docker := realtest.Docker(t)
				var env []string
				if authentication {
					env = append(env, "DOCKER_CONFIG="+filepath.Dir(login(t, address)))
				}
				must := func(args ...string) {
					t.Helper()
					out := docker(env, args...)
					require.NoError(t, out.Err, "docker %v\n%s", args, out.Text)
				}
				must("import", realtest.RootFS(t), c.RegistryURL+":docker")
				must("push", c.RegistryURL+":docker")
				pushed(t, "docker")
			})
			if authentication {
				t.Run("without the login", func(t *testing.T) {
					t.Parallel()
					image, err := random.Image(64, 1)
					require.NoError(t, err)
					ref, err := name.NewTag(c.RegistryURL + ":nobody")
					require.NoError(t, err)
					require.ErrorContains(t, remote.Write(ref, image, remote.WithAuth(authn.Anonymous)), "401 Unauthorized")
				})
			}
		})
	}
}
