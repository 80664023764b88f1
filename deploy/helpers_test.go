//go:build linux

package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

func TestMain(m *testing.M) {
	realtest.WithoutAWS()
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

// scratch is what the tests share.
var scratch = func() string {
	dir, err := os.MkdirTemp("", "rise-deploy")
	if err != nil {
		panic(err)
	}
	return dir
}()

// packer is the program that makes images, built once.
var packer = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "image")
	out, err := exec.CommandContext(context.Background(), "go", "build", "-o", path, "./image").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return path, err
})

// pack runs it at the top of the repository.
func pack(env []string, args ...string) (string, error) {
	program, err := packer()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(context.Background(), program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = "..", append(os.Environ(), env...), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, &stderr)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// mustPack is pack for what has to succeed.
func mustPack(t *testing.T, env []string, args ...string) string {
	t.Helper()
	digest, err := pack(env, args...)
	require.NoError(t, err)
	return digest
}

// serverTag is the name of the image that serverImage loads: as docs/deploying.md makes it.
const serverTag = "rise-registry:latest"

// serverImage is an archive of the reference image for this machine, made once: what docker load and podman load take.
func serverImage(t *testing.T) string {
	t.Helper()
	path, err := madeServerImage()
	require.NoError(t, err)
	return path
}

var madeServerImage = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "server")
	_, err := pack(nil, "-output", dir, "-platforms", platform, "-sbom=false")
	return filepath.Join(dir, "image-"+strings.ReplaceAll(platform, "/", "-")+".tar"), err
})

// program is one of the image's, which run outside of it just as well.
func program(t *testing.T, name string) string {
	t.Helper()
	archive := serverImage(t)
	extracting.Lock()
	defer extracting.Unlock()
	path := filepath.Join(scratch, "bin", name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	image, err := tarball.ImageFromPath(archive, nil)
	require.NoError(t, err)
	write(t, path, string(filesIn(t, image)[name]))
	require.NoError(t, os.Chmod(path, 0o755))
	return path
}

var extracting sync.Mutex

// credential asks for one, until there is an answer: containers take a while to start.
func credential(t *testing.T, endpoint, token, project string) (status int, username, password string) {
	t.Helper()
	var answer struct {
		Credentials struct{ Username, Password string }
	}
	require.Eventually(t, func() bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, endpoint+"/api/v1/registry/credentials?project="+project, http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		defer resp.Body.Close() //nolint:errcheck // read
		status = resp.StatusCode
		return status != http.StatusOK || json.NewDecoder(resp.Body).Decode(&answer) == nil
	}, time.Minute, 50*time.Millisecond)
	return status, answer.Credentials.Username, answer.Credentials.Password
}

// write writes a file, and the folders above it.
func write(t *testing.T, path, text string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}
