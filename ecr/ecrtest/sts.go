package ecrtest

import (
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

// stsProtocol is STS's: the AWS query protocol.
type stsProtocol struct{ *Server }

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

func (p stsProtocol) describe(r *http.Request, body []byte, c *Call) {
	form, err := url.ParseQuery(string(body))
	if err != nil || r.Method != http.MethodPost {
		form = url.Values{}
	}
	c.Action = form.Get("Action")
	c.Form = maps.Clone(form)
	c.Form.Del("WebIdentityToken")
	c.Form.Del("SAMLAssertion")
	c.Form.Del("TokenCode")
	c.Region = p.cfg.Region
	if sig, err := parseSignature(r.Header.Get("Authorization")); err == nil {
		c.Region, c.AccessKeyID = sig.region, sig.accessKeyID
	}
}

func (p stsProtocol) fail(e *awsError, c *Call) response {
	type failure struct {
		XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}
	kind := "Sender"
	if e.status >= 500 {
		kind = "Receiver"
	}
	body, _ := xml.Marshal(failure{Type: kind, Code: e.code, Message: e.message, RequestID: c.RequestID}) // plain strings
	return response{status: e.status, body: body, code: e.code, header: xmlHeader()}
}

func xmlHeader() http.Header { return http.Header{"Content-Type": {"text/xml"}} }

func (p stsProtocol) handle(r *http.Request, body []byte, c *Call) response {
	form, err := url.ParseQuery(string(body))
	if err != nil || r.Method != http.MethodPost {
		return p.fail(errorf("MalformedQueryString", "The query string contains a syntax error."), c)
	}
	var result any
	var aerr *awsError
	if form.Get("Action") == "AssumeRoleWithWebIdentity" { // the one that isn't signed
		if aerr = p.throttled(p.cfg.Account, c); aerr == nil {
			result, aerr = p.assumeRoleWithWebIdentity(r, form, c)
		}
	} else {
		var who identity
		if who, aerr = p.authenticate(r, body, "sts", c); aerr == nil {
			aerr = p.throttled(who.account(), c)
		}
		if aerr == nil {
			switch form.Get("Action") {
			case "AssumeRole":
				result, aerr = p.assumeRole(r, who, form, c)
			case "GetCallerIdentity": // needs no permission
				result = callerIdentity{Arn: who.arn(), UserID: who.userID(), Account: who.account()}
			default:
				aerr = errorf("InvalidAction", "Could not find operation %s for version %s (ecrtest has AssumeRole, "+
					"AssumeRoleWithWebIdentity and GetCallerIdentity)", form.Get("Action"), form.Get("Version"))
			}
		}
	}
	if aerr != nil {
		return p.fail(aerr, c)
	}
	type answer struct {
		XMLName   xml.Name
		Result    any
		RequestID string `xml:"ResponseMetadata>RequestId"`
	}
	out, err := xml.Marshal(answer{
		XMLName: xml.Name{Space: stsNamespace, Local: c.Action + "Response"}, Result: result, RequestID: c.RequestID,
	})
	if err != nil {
		return p.fail(&awsError{code: "InternalFailure", message: err.Error(), status: http.StatusInternalServerError}, c)
	}
	return response{status: http.StatusOK, body: out, header: xmlHeader()}
}

func (p stsProtocol) throttled(account string, c *Call) *awsError {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.throttle(account, c)
}

type callerIdentity struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

type assumedRole struct {
	XMLName          xml.Name
	AssumedRoleID    string `xml:"AssumedRoleUser>AssumedRoleId"`
	Arn              string `xml:"AssumedRoleUser>Arn"`
	AccessKeyID      string `xml:"Credentials>AccessKeyId"`
	SecretAccessKey  string `xml:"Credentials>SecretAccessKey"`
	SessionToken     string `xml:"Credentials>SessionToken"`
	Expiration       string `xml:"Credentials>Expiration"`
	SessionTokenSize int
	SourceIdentity   string `xml:",omitempty"`
	Subject          string `xml:"SubjectFromWebIdentityToken,omitempty"`
	Provider         string `xml:",omitempty"`
	Audience         string `xml:",omitempty"`
}

func newAssumedRole(action string, key *credential) assumedRole {
	return assumedRole{
		XMLName:       xml.Name{Local: action + "Result"},
		AssumedRoleID: key.who.userID(), Arn: key.who.arn(), AccessKeyID: key.id, SecretAccessKey: key.secret,
		SessionToken: key.token, Expiration: key.expires.UTC().Format("2006-01-02T15:04:05Z"),
		SessionTokenSize: len(key.token), SourceIdentity: key.who.session.sourceID,
	}
}

var (
	sessionNamePattern = regexp.MustCompile(`^[\w+=,.@-]*$`)
	externalIDPattern  = regexp.MustCompile(`^[\w+=,.@:/-]*$`)
	tagPattern         = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	memberPattern      = regexp.MustCompile(`^Tags\.member\.([0-9]{1,3})\.(Key|Value)$`)
)

// roleRequest is what both AssumeRole operations take.
type roleRequest struct {
	roleARN, sessionName string
	duration             time.Duration
	policies             []*iam.Policy
}

// constraint is STS's wording for a parameter that doesn't validate.
func constraint(value, name, rule string) *awsError {
	return errorf("ValidationError", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s",
		value, name, rule)
}

func checkText(form url.Values, parameter, name string, least, most int, pattern *regexp.Regexp) *awsError {
	value := form.Get(parameter)
	switch n := utf8.RuneCountInString(value); {
	case pattern != nil && !pattern.MatchString(value):
		return constraint(value, name, "Member must satisfy regular expression pattern: "+
			strings.TrimSuffix(strings.TrimPrefix(pattern.String(), "^"), "$"))
	case n < least:
		return constraint(value, name, "Member must have length greater than or equal to "+strconv.Itoa(least))
	case n > most:
		return constraint(value, name, "Member must have length less than or equal to "+strconv.Itoa(most))
	}
	return nil
}

// parseRoleRequest checks what can be checked without looking anything up.
func parseRoleRequest(form url.Values) (roleRequest, *awsError) {
	q := roleRequest{roleARN: form.Get("RoleArn"), sessionName: form.Get("RoleSessionName"), duration: time.Hour}
	if err := checkText(form, "RoleArn", "roleArn", 20, 2048, nil); err != nil {
		return q, err
	}
	if !entityARN.MatchString(q.roleARN) || !strings.Contains(q.roleARN, ":role/") {
		return q, errorf("ValidationError", "%s is invalid", q.roleARN)
	}
	if err := checkText(form, "RoleSessionName", "roleSessionName", 2, 64, sessionNamePattern); err != nil {
		return q, err
	}
	if form.Has("DurationSeconds") {
		seconds, err := strconv.Atoi(form.Get("DurationSeconds"))
		switch {
		case err != nil:
			return q, errorf("MalformedInput", "DurationSeconds must be an integer")
		case seconds < 900:
			return q, constraint(strconv.Itoa(seconds), "durationSeconds", "Member must have value greater than or equal to 900")
		case seconds > 43200:
			return q, constraint(strconv.Itoa(seconds), "durationSeconds", "Member must have value less than or equal to 43200")
		}
		q.duration = time.Duration(seconds) * time.Second
	}
	for name := range form {
		if strings.HasPrefix(name, "PolicyArns.") {
			return q, errorf("ValidationError", "ecrtest has no managed policies: PolicyArns isn't supported")
		}
	}
	if form.Has("Policy") {
		if err := checkText(form, "Policy", "policy", 1, 2048, nil); err != nil {
			return q, err
		}
		policy, err := iam.Parse(form.Get("Policy"), iam.Identity)
		if err != nil {
			return q, errorf("MalformedPolicyDocument", "The policy is not in a valid format: %v", err)
		}
		q.policies = []*iam.Policy{policy}
	}
	return q, nil
}

// parseTags reads Tags.member.N.Key and .Value.
func parseTags(form url.Values) (map[string]string, *awsError) {
	keys, values := map[string]string{}, map[string]string{}
	for name := range form {
		m := memberPattern.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		if m[2] == "Key" {
			keys[m[1]] = form.Get(name)
		} else {
			values[m[1]] = form.Get(name)
		}
	}
	if len(keys) > 50 {
		return nil, constraint("[...]", "tags", "Member must have length less than or equal to 50")
	}
	tags, seen := map[string]string{}, map[string]bool{}
	for i, key := range keys {
		switch {
		case key == "" || utf8.RuneCountInString(key) > 128 || !tagPattern.MatchString(key):
			return nil, constraint(key, "tags."+i+".member.key", "Member must be 1 to 128 letters, digits, spaces and _.:/=+-@")
		case utf8.RuneCountInString(values[i]) > 256 || !tagPattern.MatchString(values[i]):
			return nil, constraint(values[i], "tags."+i+".member.value",
				"Member must be up to 256 letters, digits, spaces and _.:/=+-@")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, errorf("ValidationError", "Tag keys that start with aws: are reserved: %s", key)
		case seen[strings.ToLower(key)]:
			return nil, errorf("ValidationError", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[strings.ToLower(key)] = true
		tags[key] = values[i]
	}
	return tags, nil
}

func (p stsProtocol) assumeRole(r *http.Request, who identity, form url.Values, c *Call) (any, *awsError) {
	q, aerr := parseRoleRequest(form)
	if aerr != nil {
		return nil, aerr
	}
	if form.Has("ExternalId") {
		if err := checkText(form, "ExternalId", "externalId", 2, 1224, externalIDPattern); err != nil {
			return nil, err
		}
	}
	sourceID := form.Get("SourceIdentity")
	if form.Has("SourceIdentity") {
		if err := checkText(form, "SourceIdentity", "sourceIdentity", 2, 64, sessionNamePattern); err != nil {
			return nil, err
		}
	}
	tags, aerr := parseTags(form)
	if aerr != nil {
		return nil, aerr
	}
	transitive := map[string]bool{}
	for name := range form {
		if strings.HasPrefix(name, "TransitiveTagKeys.member.") {
			transitive[strings.ToLower(form.Get(name))] = true
		}
	}
	chained := who.session != nil
	if chained { // tags that are inherited
		for key, value := range who.session.tags {
			if lower := strings.ToLower(key); who.session.transitive[lower] {
				for own := range tags {
					if strings.EqualFold(own, key) {
						return nil, errorf("InvalidParameterValue", "One of the specified tag keys can't be set because it "+
							"conflicts with a transitive tag key from the calling session: %s", own)
					}
				}
				tags[key], transitive[lower] = value, true
			}
		}
		if who.session.sourceID != "" {
			if sourceID != "" && sourceID != who.session.sourceID {
				return nil, forbidden("AccessDenied", "Source identity of the calling session can't be changed")
			}
			sourceID = who.session.sourceID
		}
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	ctx := p.context(who, c.Region, r)
	ctx.Set("sts:RoleSessionName", q.sessionName)
	if form.Has("ExternalId") {
		ctx.Set("sts:ExternalId", form.Get("ExternalId"))
	}
	if sourceID != "" {
		ctx.Set("sts:SourceIdentity", sourceID)
	}
	if len(tags) > 0 {
		requestTags(ctx, tags)
	}
	if len(transitive) > 0 {
		keys := make([]string, 0, len(transitive))
		for key := range transitive {
			keys = append(keys, key)
		}
		ctx.Set("sts:TransitiveTagKeys", keys...)
	}
	target := p.roles[q.roleARN]
	c.Resource = q.roleARN
	actions := []string{"sts:AssumeRole"}
	if len(tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if sourceID != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, action := range actions {
		decision := iam.Decision{Layer: iam.TrustLayer}
		if target != nil {
			decision = p.mayAssume(who, target, action, ctx)
		}
		c.Decision = decision.String()
		if !decision.Allowed {
			// STS names no cause, so that nobody learns about roles of others.
			return nil, forbidden("AccessDenied", "User: %s is not authorized to perform: %s on resource: %s", who.arn(), action,
				q.roleARN)
		}
	}
	switch {
	case chained && q.duration > time.Hour:
		return nil, errorf("ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "+
				"by role chaining.")
	case q.duration > target.def.MaxSessionDuration:
		return nil, errorf("ValidationError",
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	now := p.now().Truncate(time.Second)
	return newAssumedRole("AssumeRole", p.newSession(&session{
		role: target, name: q.sessionName, tags: tags, transitive: transitive, policies: q.policies, sourceID: sourceID,
		issued: now, expires: now.Add(q.duration),
	})), nil
}

// mayAssume decides one of the actions that assuming a role takes. Tagging a session must be allowed by the trust
// policy and by the caller's own policies too, wherever the role is.
func (s *Server) mayAssume(who identity, target *role, action string, ctx iam.Context) iam.Decision {
	request := iam.Request{Principal: who.principal(), Action: action, Resource: target.arn, Account: target.account,
		Context: ctx}
	policies := iam.Policies{
		ServiceControl: s.scps, Identity: who.rights().policies, Boundary: who.rights().boundary,
		Session: who.sessionPolicies(), Resource: []*iam.Policy{target.trust}, Trust: true,
		SessionLimitsGrants: s.cfg.SessionPoliciesLimitGrants,
	}
	decision := iam.Evaluate(request, policies)
	if decision.Allowed && action == "sts:TagSession" {
		policies.Resource, policies.Trust = nil, false
		request.Account = who.account()
		decision = iam.Evaluate(request, policies)
	}
	return decision
}
