package iam

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kind says what a policy is attached to, which decides the elements that it must and must not have.
type Kind uint8

// The kinds of policies.
const (
	Identity   Kind = iota + 1 // of a user or role, a boundary, a session policy: no Principal
	Resource                   // of a registry: Principal and Resource
	Repository                 // of a repository: Principal; Resource may be left out and then is the repository
	Trust                      // of a role: Principal, no Resource
)

// Policy is a parsed policy document. It may be used by several goroutines at once as long as none calls Bind.
type Policy struct {
	statements []statement
}

type statement struct {
	sid           string
	deny          bool
	principals    []principal // nil: the policy names none
	notPrincipals []principal
	actions       []pattern
	notActions    []pattern
	resources     []pattern // nil together with notResources: any, as in trust policies
	notResources  []pattern
	conditions    []condition
	keys          []string // that conditions and variables name, lower case
}

// principal is one entry of a Principal element.
type principal struct {
	kind  string // AWS, Service, Federated
	value string
	id    string // the unique id that AWS stores for a user's or role's ARN; empty until bound
}

var (
	actionPattern  = regexp.MustCompile(`^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$`)
	sidPattern     = regexp.MustCompile(`^[A-Za-z0-9 ]*$`)
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	// Users, roles and sessions. IAM takes no wildcards here: "*" stands alone.
	principalARN = regexp.MustCompile(`^arn:aws[a-z-]*:(iam|sts)::([0-9]{12}):` +
		`(root|(user|role|assumed-role|federated-user)/[^*?]+)$`)
	uniqueID = regexp.MustCompile(`^A(IDA|ROA)[A-Z0-9]{8,}$`)
)

// Parse reads a policy document. It is strict: unknown and repeated elements, unknown operators and elements that the
// kind doesn't allow are errors that name the statement.
func Parse(document string, kind Kind) (*Policy, error) {
	fields, err := object([]byte(document))
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	p := &Policy{}
	version := "2008-10-17"
	var statements []json.RawMessage
	for _, f := range fields {
		switch f.name {
		case "Version":
			if err := json.Unmarshal(f.value, &version); err != nil || version != "2012-10-17" && version != "2008-10-17" {
				return nil, errors.New("policy: Version must be 2012-10-17 or 2008-10-17")
			}
		case "Id":
			var id string
			if err := json.Unmarshal(f.value, &id); err != nil {
				return nil, errors.New("policy: Id must be a string")
			}
		case "Statement":
			if statements, err = list(f.value); err != nil {
				return nil, fmt.Errorf("policy: Statement: %w", err)
			}
		default:
			return nil, fmt.Errorf("policy: unknown element %q", f.name)
		}
	}
	if len(statements) == 0 {
		return nil, errors.New("policy: no Statement")
	}
	sids := map[string]bool{}
	for i, raw := range statements {
		s, err := parseStatement(raw, kind, version == "2012-10-17")
		if err != nil {
			return nil, fmt.Errorf("policy: statement %d: %w", i+1, err)
		}
		if s.sid != "" && sids[s.sid] {
			return nil, fmt.Errorf("policy: statement %d: Sid %q is used twice", i+1, s.sid)
		}
		sids[s.sid] = true
		p.statements = append(p.statements, s)
	}
	return p, nil
}

func parseStatement(raw json.RawMessage, kind Kind, variables bool) (statement, error) {
	var s statement
	fields, err := object(raw)
	if err != nil {
		return s, err
	}
	var effect string
	for _, f := range fields {
		switch f.name {
		case "Sid":
			if err = json.Unmarshal(f.value, &s.sid); err == nil && kind != Repository && !sidPattern.MatchString(s.sid) {
				err = fmt.Errorf("%q must be letters and digits", s.sid)
			}
		case "Effect":
			err = json.Unmarshal(f.value, &effect)
		case "Principal":
			s.principals, err = parsePrincipals(f.value)
		case "NotPrincipal":
			s.notPrincipals, err = parsePrincipals(f.value)
		case "Action":
			s.actions, err = patterns(f.value, false, checkAction)
		case "NotAction":
			s.notActions, err = patterns(f.value, false, checkAction)
		case "Resource":
			s.resources, err = resources(f.value, variables)
		case "NotResource":
			s.notResources, err = resources(f.value, variables)
		case "Condition":
			s.conditions, err = parseConditions(f.value, variables)
		default:
			return s, fmt.Errorf("unknown element %q", f.name)
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	switch effect {
	case "Allow":
	case "Deny":
		s.deny = true
	default:
		return s, fmt.Errorf("effect must be Allow or Deny, not %q", effect)
	}
	if (s.actions == nil) == (s.notActions == nil) {
		return s, errors.New("needs either Action or NotAction")
	}
	hasPrincipal := s.principals != nil || s.notPrincipals != nil
	hasResource := s.resources != nil || s.notResources != nil
	switch {
	case s.principals != nil && s.notPrincipals != nil:
		return s, errors.New("has both Principal and NotPrincipal")
	case s.resources != nil && s.notResources != nil:
		return s, errors.New("has both Resource and NotResource")
	case kind == Identity && hasPrincipal:
		return s, errors.New("an identity-based policy has no Principal")
	case kind != Identity && !hasPrincipal:
		return s, errors.New("a resource-based policy needs a Principal")
	case kind == Trust && hasResource:
		return s, errors.New("a trust policy has no Resource")
	case (kind == Identity || kind == Resource) && !hasResource:
		return s, errors.New("needs either Resource or NotResource")
	}
	values := slices.Concat(s.resources, s.notResources)
	for _, c := range s.conditions {
		s.keys = append(s.keys, c.key)
		values = append(values, c.values...)
	}
	for _, p := range values {
		for _, part := range p.parts {
			if part.variable != "" {
				s.keys = append(s.keys, part.variable)
			}
		}
	}
	return s, nil
}

func checkAction(s string) error {
	if !actionPattern.MatchString(s) {
		return fmt.Errorf("%q must be service:Action or *", s)
	}
	return nil
}

func checkResource(s string) error {
	if s != "*" && !strings.HasPrefix(s, "arn:") {
		return fmt.Errorf("%q must be an ARN or *", s)
	}
	return nil
}

func parsePrincipals(raw json.RawMessage) ([]principal, error) {
	var all string
	if json.Unmarshal(raw, &all) == nil {
		if all != "*" {
			return nil, fmt.Errorf(`%q must be "*" or an object`, all)
		}
		return []principal{{kind: "AWS", value: "*"}}, nil
	}
	fields, err := object(raw)
	if err != nil {
		return nil, err
	}
	out := []principal{}
	for _, f := range fields {
		if f.name != "AWS" && f.name != "Service" && f.name != "Federated" {
			return nil, fmt.Errorf("unknown type %q", f.name)
		}
		values, err := texts(f.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		for _, v := range values {
			if f.name == "AWS" && v != "*" && !accountPattern.MatchString(v) && !principalARN.MatchString(v) &&
				!uniqueID.MatchString(v) {
				return nil, fmt.Errorf("invalid principal in policy: %q", v)
			}
			out = append(out, principal{kind: f.name, value: v})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("is empty")
	}
	return out, nil
}

// Bind stores a user's or role's unique id for each Principal that names its ARN and isn't bound yet, as AWS does when
// a policy is saved: a user or role that is made again under the same name is another principal.
func (p *Policy) Bind(arn, id string) {
	for i := range p.statements {
		for _, list := range [][]principal{p.statements[i].principals, p.statements[i].notPrincipals} {
			for j := range list {
				if list[j].kind == "AWS" && list[j].id == "" && list[j].value == arn {
					list[j].id = id
				}
			}
		}
	}
}

// Principals returns the ARNs, accounts, services and providers that the policy names.
func (p *Policy) Principals() []string {
	var out []string
	for _, s := range p.statements {
		for _, pr := range slices.Concat(s.principals, s.notPrincipals) {
			out = append(out, pr.value)
		}
	}
	return out
}

// patterns reads a string or a list of strings.
func patterns(raw json.RawMessage, variables bool, check func(string) error) ([]pattern, error) {
	values, err := texts(raw)
	if err != nil {
		return nil, err
	}
	out := make([]pattern, len(values))
	for i, v := range values {
		if err := check(v); err != nil {
			return nil, err
		}
		out[i] = newPattern(v, variables)
	}
	return out, nil
}

// resources are patterns of ARNs.
func resources(raw json.RawMessage, variables bool) ([]pattern, error) {
	out, err := patterns(raw, variables, checkResource)
	for i := range out {
		out[i] = out[i].completed()
	}
	return out, err
}
