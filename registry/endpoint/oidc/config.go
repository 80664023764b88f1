package oidc

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Issuer is one whose tokens are accepted, a section of a service's configuration. Its zero value accepts nothing, and isn't valid.
type Issuer struct {
	// Name begins the subjects of its callers, before a colon and the token's sub. Required: letters, digits and single hyphens, as in a project's name.
	Name string `yaml:"name"`
	// Issuer is its URL, as it stands in the tokens. https, or http on loopback. Required.
	Issuer string `yaml:"issuer"`
	// Audience is what tokens for this service name, and for it alone: its address, or a name with a dot. Required.
	Audience string `yaml:"audience"`
	// Exclusive says that every token of this issuer is the service's own, as a cluster's: rules may go by what isn't an owner's. Default false.
	Exclusive bool `yaml:"exclusive"`
	// JWKSURL is where its keys are, if discovery isn't to say. https, or http on loopback. Default: what discovery says.
	JWKSURL string `yaml:"jwks_url"`
	// JWKSFile has the keys, a JSON Web Key Set. It is read again within two seconds of a change, when somebody asks. Default none.
	JWKSFile string `yaml:"jwks_file"`
	// CAFile has the certificates, in PEM, that vouch for its server, instead of the system's. Default: the system's.
	CAFile string `yaml:"ca_file"`
	// BearerTokenFile has what is sent to the issuer's own host and port and to JWKSURL, and nowhere else. It is read each time. Default: none.
	BearerTokenFile string `yaml:"bearer_token_file"`
	// Rules say what its callers may; the first that matches decides. Required.
	Rules []Rule `yaml:"rules"`
}

// Rule gives callers with certain claims access to projects. Its zero value matches nothing, and isn't valid.
type Rule struct {
	// Claims are what the token has to say: all of them. A key names a claim, or one inside another after "/"; in a value, * is at least one character
	// other than / and :, and alone it says that the claim is there. Required.
	Claims map[string]string `yaml:"claims"`
	// Projects are the projects' names; in each, one part may be a claim in braces, as in team-{repository}. Required.
	Projects []string `yaml:"projects"`
	// Access is the most that the callers get. Default pull.
	Access provider.Access `yaml:"access"`
}

// String says the rule as a sentence, for an operator. It is for rules that are valid.
func (r Rule) String() string {
	var conditions []string
	for _, key := range slices.Sorted(maps.Keys(r.Claims)) {
		if r.Claims[key] == anything {
			conditions = append(conditions, fmt.Sprintf("have %s", key))
		} else {
			conditions = append(conditions, fmt.Sprintf("say %q as %s", r.Claims[key], key))
		}
	}
	return fmt.Sprintf("tokens that %s may %s %s", strings.Join(conditions, " and "), r.access(), strings.Join(r.Projects, ", "))
}

func (r Rule) access() provider.Access { return max(r.Access, provider.Pull) }

var nameForm = regexp.MustCompile(`\A[A-Za-z0-9]+(-[A-Za-z0-9]+)*\z`)

// Validate returns all that is wrong with the section, as [*provider.ConfigError] values. It reads no files.
func (i *Issuer) Validate() error {
	var errs []error
	wrong := func(key, problem string) {
		if problem != "" {
			errs = append(errs, provider.NewConfigError(key, "%s", problem))
		}
	}
	if len(i.Name) > 63 || !nameForm.MatchString(i.Name) {
		wrong("name", "must be 1 to 63 letters and digits, with single hyphens inside")
	}
	issuer, problem := parseAddress(i.Issuer)
	if problem == "" {
		problem = everybodys(issuer)
	}
	if i.Issuer == "" {
		problem = "is required: the URL of the tokens' iss"
	}
	wrong("issuer", problem)
	wrong("audience", audienceProblem(i.Audience, i.Issuer))
	if i.JWKSURL != "" {
		_, problem := parseAddress(i.JWKSURL)
		wrong("jwks_url", problem)
	}
	if i.JWKSFile != "" {
		for _, other := range [][2]string{{"jwks_url", i.JWKSURL}, {"ca_file", i.CAFile}, {"bearer_token_file", i.BearerTokenFile}} {
			if other[1] != "" {
				wrong(other[0], "does nothing beside jwks_file")
			}
		}
	}
	if i.BearerTokenFile != "" && issuer != nil && issuer.Scheme != "https" {
		wrong("bearer_token_file", "is sent over TLS only, and the issuer has none")
	}
	if len(i.Rules) == 0 {
		wrong("rules", "are required: without one no token gets anything")
	}
	if issuer != nil {
		if i.Exclusive && pins(issuer) != nil {
			wrong("exclusive", "isn't so: strangers share this issuer")
		}
		for n := range i.Rules {
			i.checkRule(n, issuer, wrong)
		}
	}
	return errors.Join(errs...)
}

func (i *Issuer) checkRule(n int, issuer *url.URL, wrong func(key, problem string)) {
	r, key := i.Rules[n], fmt.Sprintf("rules[%d]", n)
	fine := true
	for _, claim := range slices.Sorted(maps.Keys(r.Claims)) {
		for _, problem := range []string{keyProblem(claim), patternProblem(r.Claims[claim])} {
			fine = fine && problem == ""
			if problem != "" {
				wrong(key+".claims", claimName(claim)+" "+problem)
			}
		}
	}
	if len(r.Projects) == 0 {
		wrong(key+".projects", "are required")
	}
	for p, project := range r.Projects {
		t, problem := parseTemplate(project)
		if problem == "" {
			problem = t.problem(r.Claims)
		}
		wrong(fmt.Sprintf("%s.projects[%d]", key, p), problem)
	}
	if r.Access != 0 && !r.Access.Includes(provider.Pull) {
		wrong(key+".access", "must be pull or push")
	}
	if !fine {
		return // what can't be read decides nothing
	}
	wrong(key+".claims", i.ownerProblem(r, issuer))
	for earlier := range n {
		if i.Rules[earlier].covers(r) {
			wrong(key+".claims", fmt.Sprintf("can't be reached: rules[%d] takes every token that it would", earlier))
			return
		}
	}
}

// claimName is a claim's name as it may stand in a message.
func claimName(key string) string { return fmt.Sprintf("%.80q", key) }

// ownerProblem says why the rule's claims don't tell owners apart; "" if they do.
func (i *Issuer) ownerProblem(r Rule, issuer *url.URL) string {
	if len(r.Claims) == 0 {
		return "are required: without one the rule takes every token"
	}
	ids := pins(issuer)
	for _, id := range ids {
		if value := r.Claims[id]; value != "" && exact(value) && numbered(issuer) && strings.Trim(value, "0123456789") != "" {
			return "have no number as " + id + ", which is one at this issuer, and no name"
		}
	}
	for key, value := range r.Claims {
		if exact(value) && (slices.Contains(ids, key) || ids == nil && !slices.Contains(chosen, key)) {
			return ""
		}
	}
	switch {
	case ids != nil:
		return "need " + strings.Join(ids, " or ") + ", without *: strangers share this issuer, and a name can become somebody else's"
	case i.Exclusive:
		return ""
	default:
		return "need one without * beside ref and environment, or the issuer exclusive: true, if each of its tokens is this service's own"
	}
}

// covers reports whether r matches every token that other does. Both are readable.
func (r Rule) covers(other Rule) bool {
	var patterns []string // compared last, as they cost most
	for key, value := range r.Claims {
		wanted, ok := other.Claims[key]
		switch {
		case !ok || value != wanted && exact(value):
			return false
		case value != wanted:
			patterns = append(patterns, key)
		}
	}
	for _, key := range patterns {
		if !newPattern(r.Claims[key]).covers(other.Claims[key]) {
			return false
		}
	}
	return len(r.Claims) > 0
}

// Warnings are what a valid section allows that may not be meant, a sentence each.
func (i *Issuer) Warnings() []string {
	var warnings []string
	if i.Exclusive {
		warnings = append(warnings, fmt.Sprintf("%s is exclusive: whoever gets a token of this issuer is taken for a caller of this service", i.Name))
	}
	issuer, problem := parseAddress(i.Issuer)
	if problem != "" {
		return warnings
	}
	for n, r := range i.Rules {
		if bounds := bindings(issuer); r.access() == provider.Push && bounds != nil && !slices.ContainsFunc(bounds, func(key string) bool {
			value := r.Claims[key]
			return value != "" && value != anything
		}) {
			warnings = append(warnings, fmt.Sprintf("%s: rules[%d] lets every branch push, pull requests from inside the repository among them: it has no %s", i.Name, n, oneOf(bounds)))
		}
		if claim := r.chosenProject(); claim != "" {
			warnings = append(warnings, fmt.Sprintf("%s: rules[%d] lets whoever starts a job choose the project, by its %s", i.Name, n, claim))
		}
	}
	return append(warnings, i.meetings(pins(issuer))...)
}

// meetings are the warnings of rules for different owners, by the ids or what else fixes the owner of a template's claim, that can give both a project of the same name, not just by naming it: of each rule's, the first.
func (i *Issuer) meetings(ids []string) (warnings []string) {
	templates := make([][]template, len(i.Rules))
	for n, r := range i.Rules {
		for _, project := range r.Projects {
			if t, problem := parseTemplate(project); problem == "" {
				templates[n] = append(templates[n], t)
			}
		}
		meets := func(earlier int) bool {
			return slices.ContainsFunc(templates[n], func(t template) bool {
				return slices.ContainsFunc(templates[earlier], func(other template) bool {
					return t.meets(other) && differ(r.Claims, i.Rules[earlier].Claims, slices.Concat(ids, fixers(t.claim), fixers(other.claim)))
				})
			})
		}
		for earlier := range n {
			if meets(earlier) {
				warnings = append(warnings, fmt.Sprintf("%s: rules[%d] and rules[%d] are for different owners, and can give both the same project: whoever may name a repository can choose the other's", i.Name, earlier, n))
				break
			}
		}
	}
	return warnings
}

// chosenProject returns the claim by which whoever starts a job chooses its project, or "".
func (r Rule) chosenProject() string {
	fixed := func(claim string) bool {
		value := r.Claims[claim]
		return value != "" && exact(value)
	}
	for _, project := range r.Projects {
		t, problem := parseTemplate(project)
		if problem == "" && !fixed(t.claim) && (slices.Contains(named, t.claim) || t.claim == accountClaim && !fixed(namespaceClaim)) {
			return t.claim
		}
	}
	return ""
}

// differ reports whether one of the keys has another text in each, and none the same.
func differ(first, second map[string]string, keys []string) bool {
	other := false
	for _, key := range keys {
		a, b := first[key], second[key]
		switch {
		case a == "" || b == "" || !exact(a) || !exact(b):
		case a == b:
			return false
		default:
			other = true
		}
	}
	return other
}

// Validate returns what is wrong with issuers beside each other, as [*provider.ConfigError] values with keys like key[1].name: names and issuers
// have to differ. What is wrong with each, its own Validate says.
func Validate(key string, issuers []Issuer) error {
	var errs []error
	for n := range issuers {
		for earlier := range n {
			if issuers[n].Name == issuers[earlier].Name {
				errs = append(errs, provider.NewConfigError(fmt.Sprintf("%s[%d].name", key, n), "is that of %s[%d]", key, earlier))
			}
			if issuers[n].Issuer == issuers[earlier].Issuer {
				errs = append(errs, provider.NewConfigError(fmt.Sprintf("%s[%d].issuer", key, n), "is that of %s[%d]: put the rules together", key, earlier))
			}
		}
	}
	return errors.Join(errs...)
}

// parseAddress reads the URL of an issuer or of keys, in the one spelling that is compared, or says what is wrong with it.
func parseAddress(text string) (*url.URL, string) {
	const form = "must be a URL like https://ci.example.com/path: a lower-case host, no user, query or fragment"
	u, err := url.Parse(text)
	if err != nil || len(text) > 1024 || u.Opaque != "" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
		u.String() != text || u.Host != strings.ToLower(u.Host) || strings.HasSuffix(u.Hostname(), ".") || strings.HasSuffix(u.Host, ":") || printable(text) != text {
		return nil, form
	}
	if clean := strings.TrimSuffix(u.Path, "/"); clean != "" && path.Clean(clean) != clean || strings.Contains(text, "%") {
		return nil, form
	}
	switch u.Scheme {
	case "https":
		if u.Port() == "443" {
			return nil, "has the default port; leave it out"
		}
		return u, ""
	case "http":
		if !loopback(u.Hostname()) {
			return nil, "must be https: plain HTTP is for loopback"
		}
		if u.Port() == "80" {
			return nil, "has the default port; leave it out"
		}
		return u, ""
	}
	return nil, form
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}
