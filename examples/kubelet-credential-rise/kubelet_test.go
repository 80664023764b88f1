package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/kubeletplugin"
)

// kubelet does with the program what a kubelet does that has this one provider, with tokenAttributes and cacheType ServiceAccount. It follows
// k8s.io/kubernetes v1.37.2: pkg/credentialprovider/plugin/plugin.go (provide, getCachedCredentials, ExecPlugin) and pkg/credentialprovider/keyring.go
// (BasicDockerKeyring, URLsMatch).
type kubelet struct {
	program string
	env     []string
	match   []string // matchImages
	later   time.Duration
	kept    map[[2]string]kept // by image, registry or "<global>", and service account
	ran     int
	said    string // the program's errors, as the kubelet logs them
}

type kept struct {
	keys map[string]kubeletplugin.AuthConfig
	till time.Time
}

// pod is what a kubelet knows of one.
type pod struct{ serviceAccount, token string }

// provide are the keys that are looked through for an image, whose name has neither tag nor digest.
func (k *kubelet) provide(t *testing.T, p pod, image string) map[string]kubeletplugin.AuthConfig {
	t.Helper()
	if !slices.ContainsFunc(k.match, func(m string) bool { return matches(t, m, image) }) {
		return nil
	}
	registry, _, _ := strings.Cut(image, "/")
	now := time.Now().Add(k.later)
	for _, base := range []string{image, registry, "<global>"} {
		if c, ok := k.kept[[2]string{base, p.serviceAccount}]; ok && !now.After(c.till) {
			return c.keys
		}
	}
	answer, ok := k.exec(t, p, image)
	if !ok {
		return nil
	}
	for _, auth := range answer.Auth {
		require.NotEqual(t, p.token, auth.Password, "refused by kubelets")
	}
	base, ok := map[string]string{"Image": image, "Registry": registry, "Global": "<global>"}[answer.CacheKeyType]
	require.True(t, ok, "refused by kubelets")
	if answer.CacheDuration == "" {
		return answer.Auth // defaultCacheDuration is 0s
	}
	duration, err := time.ParseDuration(answer.CacheDuration)
	require.NoError(t, err)
	if duration != 0 {
		k.kept[[2]string{base, p.serviceAccount}] = kept{answer.Auth, now.Add(duration)}
	}
	return answer.Auth
}

func (k *kubelet) exec(t *testing.T, p pod, image string) (answer kubeletplugin.Response, ok bool) {
	t.Helper()
	k.ran++
	request, err := json.Marshal(kubeletplugin.Request{Kind: "CredentialProviderRequest", APIVersion: v1, Image: image, ServiceAccountToken: p.token})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.program)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = k.env, bytes.NewReader(append(request, '\n')), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		k.said += fmt.Sprintf("%v: %s", err, stderr.String())
		require.Empty(t, stdout.String())
		return answer, false
	}
	decoder := json.NewDecoder(&stdout)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&answer))
	require.Equal(t, v1, answer.APIVersion, "refused by kubelets")
	require.Equal(t, "CredentialProviderResponse", answer.Kind, "refused by kubelets")
	return answer, true
}

// lookup are the credentials that are tried for an image, one after the other. None: it is pulled without.
func (k *kubelet) lookup(t *testing.T, p pod, image string) []kubeletplugin.AuthConfig {
	t.Helper()
	return inKeyring(t, image, k.provide(t, p, image))
}

// inKeyring looks for an image in what several places provided: longer keys come first.
func inKeyring(t *testing.T, image string, provided ...map[string]kubeletplugin.AuthConfig) (found []kubeletplugin.AuthConfig) {
	t.Helper()
	all := map[string][]kubeletplugin.AuthConfig{}
	for _, keys := range provided {
		for key, auth := range keys {
			all[key] = append(all[key], auth)
		}
	}
	var index []string
	for key := range all {
		index = append(index, key)
	}
	slices.Sort(index)
	slices.Reverse(index)
	for _, key := range index {
		if matches(t, key, image) {
			found = append(found, all[key]...)
		}
	}
	return found
}

// matches reports whether a key, or one of matchImages, is for an image.
func matches(t *testing.T, glob, image string) bool {
	t.Helper()
	parse := func(text string) (parts []string, port, path string) {
		u, err := url.Parse("https://" + text)
		require.NoError(t, err)
		host, port, err := net.SplitHostPort(u.Host)
		if err != nil {
			host, port = u.Host, ""
		}
		return strings.Split(host, "."), port, u.Path
	}
	globParts, globPort, globPath := parse(glob)
	parts, port, path := parse(image)
	if globPort != port || len(globParts) != len(parts) || !strings.HasPrefix(path, globPath) {
		return false
	}
	for i, part := range globParts {
		if ok, err := filepath.Match(part, parts[i]); err != nil || !ok {
			return false
		}
	}
	return true
}
