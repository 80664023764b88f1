package ecrtest

import (
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/podidentity"
)

// PodIdentity is an association of EKS Pod Identity: a pod that gets a role's credentials. Its sessions carry the tags
// that EKS sets, all of them transitive, so that every role assumed from there needs sts:TagSession in its trust
// policy.
type PodIdentity struct {
	// Role is the name or ARN of the role. Its trust policy must let the service pods.eks.amazonaws.com assume it and
	// tag its session.
	Role string
	// ClusterARN, Namespace, ServiceAccount, PodName and PodUID become session tags; each has a default.
	ClusterARN, Namespace, ServiceAccount, PodName, PodUID string
}

// PodIdentityEndpoint is what the pod's environment holds.
type PodIdentityEndpoint struct {
	// URL is for AWS_CONTAINER_CREDENTIALS_FULL_URI.
	URL string
	// Token is the content of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, or the value of
	// AWS_CONTAINER_AUTHORIZATION_TOKEN.
	Token string
}

// AddPodIdentity makes an association and returns where its pod gets credentials.
func (s *Server) AddPodIdentity(p PodIdentity) PodIdentityEndpoint {
	for _, field := range []struct {
		value    *string
		fallback string
	}{
		{&p.ClusterARN, "arn:" + s.cloud.Partition + ":eks:" + s.cloud.Region + ":" + s.cloud.Account + ":cluster/main"},
		{&p.Namespace, "default"}, {&p.ServiceAccount, "default"}, {&p.PodName, "pod-0"},
		{&p.PodUID, "11111111-2222-3333-4444-555555555555"},
	} {
		if *field.value == "" {
			*field.value = field.fallback
		}
	}
	s.cloud.Lock()
	defer s.cloud.Unlock()
	pod, err := s.cloud.Pods.Add(identity.PodDefinition(p))
	must(err)
	base := s.URL
	if s.cfg.InMemory {
		base = "http://127.0.0.1" // the SDK takes plain HTTP for loopback, and any host reaches the server
	}
	return PodIdentityEndpoint{URL: base + podidentity.Path + pod.ID, Token: pod.Token}
}
