package kubeletplugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Request is what a kubelet writes to the plugin's standard input (k8s.io/kubelet/pkg/apis/credentialprovider): CredentialProviderRequest, of each
// [Versions]. Those before v1 have no service account.
type Request struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	// Image is the image's name, as a rule without tag and digest.
	Image string `json:"image"`
	// ServiceAccountToken is the pod's, for the audience of the configuration's tokenAttributes, without which it is empty. It is a secret.
	ServiceAccountToken string `json:"serviceAccountToken,omitempty"`
	// ServiceAccountAnnotations are those that the configuration names. Whoever may change the service account has written them.
	ServiceAccountAnnotations map[string]string `json:"serviceAccountAnnotations,omitempty"`
}

// Response is what a kubelet reads from the plugin's standard output: CredentialProviderResponse, in the version of the request.
type Response struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	// CacheKeyType is what the kubelet keeps the answer for: always [CacheByImage].
	CacheKeyType string `json:"cacheKeyType"`
	// CacheDuration is how long, as time.Duration prints it: "0s" is not at all, and none is the configuration's defaultCacheDuration.
	CacheDuration string `json:"cacheDuration,omitempty"`
	// Auth has the credentials by the beginning of the images' names that they are for: none, or one.
	Auth map[string]AuthConfig `json:"auth,omitempty"`
}

// AuthConfig is one credential. Password is a secret.
type AuthConfig struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

const (
	requestKind  = "CredentialProviderRequest"
	responseKind = "CredentialProviderResponse"

	// CacheByImage has the kubelet keep an answer for the image's name without tag and digest, and with tokenAttributes for one service account alone.
	CacheByImage = "Image"
)

// Versions are those that k8s.io/kubelet v0.37 knows, newest first.
func Versions() []string {
	const group = "credentialprovider.kubelet.k8s.io/"
	return []string{group + "v1", group + "v1beta1", group + "v1alpha1"}
}

// readRequest reads a request. Errors hold no part of it but its kind and version.
func readRequest(text []byte) (Request, error) {
	var r Request
	if len(text) == 0 {
		return r, errors.New("there is no request on standard input: a kubelet writes one; see --help for one by hand")
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, errors.New("what is on standard input isn't the JSON of one " + requestKind) // err might quote it
	}
	versions := Versions()
	switch {
	case r.Kind != requestKind:
		return r, fmt.Errorf("standard input has a %+.60q, and should have a %s", r.Kind, requestKind)
	case !slices.Contains(versions, r.APIVersion):
		return r, fmt.Errorf("the request's apiVersion is %+.60q, and this program knows %q: set the provider's apiVersion in the kubelet's CredentialProviderConfig to %[3]q",
			r.APIVersion, versions, versions[0])
	case r.Image == "":
		return r, errors.New("the request names no image")
	}
	return r, nil
}

// nothing answers that the plugin has no credential for the image.
func nothing(r Request) Response {
	return Response{Kind: responseKind, APIVersion: r.APIVersion, CacheKeyType: CacheByImage, CacheDuration: "0s"}
}
