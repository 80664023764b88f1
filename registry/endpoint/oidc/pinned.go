package oidc

import (
	"net/url"
	"slices"
	"strings"
)

// chosen are claims that whoever starts a job may choose: they don't tell owners apart.
var chosen = []string{"ref", "environment"}

// named are claims whose text is made up by whoever starts a job, or may push a branch.
var named = append([]string{"ref_path", "head_ref", "base_ref", "workflow", "build_branch", "build_tag", "step_key", "kubernetes.io/pod/name"}, chosen...)

// A namespace's users make up the names of its service accounts.
const namespaceClaim, accountClaim = "kubernetes.io/namespace", "kubernetes.io/serviceaccount/name"

// keyProblem says why a claim can decide nothing; "" if it can.
func keyProblem(key string) string {
	switch {
	case key == "" || len(key) > maxPattern || printable(key) != key:
		return "must name a claim, in at most 1024 bytes of printable text"
	case slices.Contains([]string{"iss", "aud", "exp", "nbf", "iat", "jti"}, key):
		return "is a claim that is checked for every token, and tells none apart"
	case underRequestTags(key):
		return "is below AWS's request_tags, which the caller writes"
	}
	return ""
}

// pins are the claims of which a rule needs one, without a star, on an issuer that strangers share; each is an id that nobody gets again.
// Empty for other issuers.
//
// Sources: GitHub's "OpenID Connect reference", GitLab's "OpenID Connect (OIDC) Authentication Using ID Tokens", Google's "OpenID Connect API Reference" (sub is never reused) and
// IAM's uniqueId, Buildkite's "buildkite-agent oidc" (both have to be asked for with --claim), HashiCorp's "Workload identity" (HCP Terraform in Europe has a host of its own).
func pins(issuer *url.URL) []string {
	switch issuer.Hostname() {
	case githubHost:
		return []string{"repository_owner_id", "repository_id", "enterprise_id"}
	case "gitlab.com":
		return []string{"namespace_id", "project_id"}
	case "accounts.google.com":
		return []string{"sub"}
	case "agent.buildkite.com":
		return []string{"organization_id", "pipeline_id"}
	case "app.terraform.io", "app.eu.terraform.io":
		return []string{"terraform_organization_id", "terraform_project_id", "terraform_workspace_id"}
	}
	return nil
}

const githubHost = "token.actions.githubusercontent.com"

// numbered reports whether the pinned claims of an issuer are numbers. For others it isn't known.
func numbered(issuer *url.URL) bool {
	return slices.Contains([]string{githubHost, "gitlab.com", "accounts.google.com"}, issuer.Hostname())
}

// bindings are the claims of which a rule that lets push should have one: without, whoever may push any branch pushes images too. nil where they aren't known.
func bindings(issuer *url.URL) []string {
	host := issuer.Hostname()
	switch {
	case host == githubHost, strings.HasPrefix(host, "token.actions.") && strings.HasSuffix(host, ".ghe.com"), issuer.Path == "/_services/token": // the last is an Enterprise Server's
		return []string{"ref", "environment", "job_workflow_ref"}
	case host == "gitlab.com":
		return []string{"ref", "ref_path", "ref_protected", "environment"}
	case host == "agent.buildkite.com":
		return []string{"build_branch", "build_tag"}
	}
	return nil
}

// oneOf lists keys, as in "a, b or c".
func oneOf(keys []string) string {
	last := len(keys) - 1
	return strings.Join(keys[:last], ", ") + " or " + keys[last]
}

// everybodys says why an issuer can't be used at all; "" if it can.
func everybodys(issuer *url.URL) string {
	host, path := issuer.Hostname(), strings.Trim(issuer.Path, "/")
	tenant, _, _ := strings.Cut(path, "/")
	switch {
	case host == "sigstore.dev" || strings.HasSuffix(host, ".sigstore.dev"):
		return "is sigstore's, which signs for anybody with an email address"
	case (strings.HasPrefix(host, "login.") && strings.Contains(host, "microsoftonline.") || host == "sts.windows.net") &&
		slices.Contains([]string{"", "common", "organizations", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"}, strings.ToLower(tenant)):
		return "is Microsoft's for every tenant; name your tenant's own"
	}
	return ""
}

// audienceProblem says what is wrong with an audience; "" if nothing is.
func audienceProblem(audience, issuer string) string {
	const form = "must be this service's own address (https://rise.example.com) or a name with a dot"
	lower := strings.ToLower(audience)
	_, rest, isURL := strings.Cut(lower, "://")
	if !isURL {
		rest = strings.TrimPrefix(lower, "//")
	}
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, ":")
	switch {
	case audience == "":
		return "is required: this service's own address, for it alone"
	case strings.TrimRight(lower, "/") == strings.TrimRight(strings.ToLower(issuer), "/"):
		return "is the issuer itself, which tokens for others name too; " + form
	case defaultAudience(host):
		return "is what tokens for other services name; " + form
	}
	if len(audience) > 255 || printable(audience) != audience || strings.ContainsAny(audience, " \"'<>\\*") {
		return form
	}
	if isURL {
		if u, err := url.Parse(audience); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" {
			return form
		}
		return ""
	}
	if strings.ContainsAny(audience, "/:@?#") || !strings.Contains(strings.Trim(audience, "."), ".") {
		return form
	}
	return ""
}

// defaultAudience reports whether issuers, or other services that tokens are made for, use the audience unless told otherwise.
func defaultAudience(host string) bool {
	switch host {
	case "github.com", // GitHub: the repository's owner
		"buildkite.com", "gitlab.com", "app.terraform.io", "app.eu.terraform.io", "iam.googleapis.com", "sts.googleapis.com", "sts.amazonaws.com", "sts.windows.net", "sigstore",
		"azureadtokenexchange", "rubygems.org", "crates.io", "pypi.org", "registry.npmjs.org", "npm":
		return true
	}
	return strings.HasPrefix(host, "vault") ||
		host == "kubernetes.default" || strings.HasPrefix(host, "kubernetes.default.svc") ||
		strings.HasPrefix(host, "sts.") && strings.Contains(host, ".amazonaws.com") ||
		strings.HasSuffix(host, ".workload.identity") // HCP Terraform
}
