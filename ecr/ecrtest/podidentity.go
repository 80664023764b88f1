package ecrtest

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

const (
	podPath     = "/pod-identity/"
	podService  = "pods.eks.amazonaws.com"
	podDuration = 6 * time.Hour
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

type pod struct {
	role  string // ARN
	token string
	tags  map[string]string
	name  string
}

// AddPodIdentity makes an association and returns where its pod gets credentials.
func (s *Server) AddPodIdentity(p PodIdentity) PodIdentityEndpoint {
	for _, field := range []struct {
		value    *string
		fallback string
	}{
		{&p.ClusterARN, "arn:" + s.partition + ":eks:" + s.cfg.Region + ":" + s.cfg.Account + ":cluster/main"},
		{&p.Namespace, "default"}, {&p.ServiceAccount, "default"}, {&p.PodName, "pod-0"},
		{&p.PodUID, "11111111-2222-3333-4444-555555555555"},
	} {
		if *field.value == "" {
			*field.value = field.fallback
		}
	}
	cluster := p.ClusterARN[strings.LastIndexByte(p.ClusterARN, '/')+1:]
	arn, _, _ := s.entity("role", p.Role)
	one := &pod{role: arn, token: randomSecret(48), name: "eks-" + cluster + "-" + p.PodName, tags: map[string]string{
		"eks-cluster-arn": p.ClusterARN, "eks-cluster-name": cluster, "kubernetes-namespace": p.Namespace,
		"kubernetes-service-account": p.ServiceAccount, "kubernetes-pod-name": p.PodName, "kubernetes-pod-uid": p.PodUID,
	}}
	if len(one.name) > 64 {
		one.name = one.name[:64]
	}
	path := podPath + strings.ToLower(randomID("a-"))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods[path] = one
	base := s.URL
	if s.cfg.InMemory {
		base = "http://127.0.0.1" // the SDK takes plain HTTP for loopback, and any host reaches the server
	}
	return PodIdentityEndpoint{URL: base + path, Token: one.token}
}

// podProtocol is the EKS Pod Identity Agent's credentials endpoint.
type podProtocol struct{ *Server }

func (p podProtocol) describe(_ *http.Request, _ []byte, c *Call) {
	c.Action, c.Region = "AssumeRoleForPodIdentity", p.cfg.Region
}

func (podProtocol) fail(e *awsError, _ *Call) response {
	body, _ := json.Marshal(map[string]string{"code": e.code, "message": e.message}) // plain strings
	return response{status: e.status, body: body, code: e.code, header: http.Header{"Content-Type": {"application/json"}}}
}

func (p podProtocol) handle(r *http.Request, _ []byte, c *Call) response {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.pods[r.URL.Path]
	if one == nil || r.Method != http.MethodGet ||
		subtle.ConstantTimeCompare([]byte(one.token), []byte(r.Header.Get("Authorization"))) != 1 {
		return p.fail(forbidden("AccessDeniedException",
			"Unauthorized Exception! EKS does not have permissions to assume the "+
				"associated role."), c)
	}
	if aerr := p.throttle(p.cfg.Account, c); aerr != nil {
		return p.fail(aerr, c)
	}
	target := p.roles[one.role]
	c.Resource = one.role
	decision := iam.Decision{Layer: iam.TrustLayer}
	if target != nil {
		ctx := p.context(identity{}, c.Region, r)
		ctx.Set("sts:RoleSessionName", one.name)
		ctx.Set("aws:SourceAccount", p.cfg.Account)
		ctx.Set("aws:SourceArn", one.tags["eks-cluster-arn"])
		requestTags(ctx, one.tags)
		for _, action := range []string{"sts:AssumeRole", "sts:TagSession"} {
			decision = iam.Evaluate(iam.Request{
				Principal: iam.Principal{Service: podService}, Action: action, Resource: target.arn, Account: target.account,
				Context: ctx,
			}, iam.Policies{Resource: []*iam.Policy{target.trust}, Trust: true})
			if !decision.Allowed {
				break
			}
		}
	}
	c.Decision = decision.String()
	if !decision.Allowed {
		return p.fail(forbidden("AccessDeniedException",
			"Unauthorized Exception! EKS does not have permissions to assume the "+
				"associated role."), c)
	}
	transitive := map[string]bool{}
	for key := range one.tags {
		transitive[key] = true
	}
	now := p.now().Truncate(time.Second)
	key := p.newSession(&session{
		role: target, name: one.name, tags: one.tags, transitive: transitive, issued: now, expires: now.Add(podDuration),
	})
	body, _ := json.Marshal(map[string]string{ // plain strings
		"AccessKeyId": key.id, "SecretAccessKey": key.secret, "Token": key.token, "AccountId": target.account,
		"Expiration": key.expires.UTC().Format(time.RFC3339),
	})
	return response{status: http.StatusOK, body: body, header: http.Header{"Content-Type": {"application/json"}}}
}
