package ecrtest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

// ecrProtocol is the ECR API's: awsJson 1.1.
type ecrProtocol struct{ *Server }

const ecrTarget = "AmazonEC2ContainerRegistry_V20150921."

func (p ecrProtocol) describe(r *http.Request, body []byte, c *Call) {
	c.Action = strings.TrimPrefix(r.Header.Get("X-Amz-Target"), ecrTarget)
	c.Region = p.cfg.Region
	if sig, err := parseSignature(r.Header.Get("Authorization")); err == nil {
		c.Region, c.AccessKeyID = sig.region, sig.accessKeyID
	}
	if json.Unmarshal(body, &c.JSON) == nil {
		delete(c.JSON, "layerPartBlob")
	}
}

// jsonCodes are the names that the codes of authentication have in awsJson.
var jsonCodes = map[string]string{
	"InvalidClientTokenId":       "UnrecognizedClientException",
	"ExpiredToken":               "ExpiredTokenException",
	"SignatureDoesNotMatch":      "InvalidSignatureException",
	"MissingAuthenticationToken": "MissingAuthenticationTokenException",
	"IncompleteSignature":        "IncompleteSignatureException",
	"Throttling":                 "ThrottlingException",
}

func (p ecrProtocol) fail(e *awsError, _ *Call) response {
	code, status := e.code, e.status
	if name, ok := jsonCodes[code]; ok {
		code, status = name, http.StatusBadRequest
	}
	body, _ := json.Marshal(map[string]string{"__type": code, "message": e.message}) // plain strings
	header := jsonHeader()
	header.Set("X-Amzn-Errortype", code)
	return response{status: status, body: body, code: code, header: header}
}

func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/x-amz-json-1.1"}} }

func (p ecrProtocol) handle(r *http.Request, body []byte, c *Call) response {
	who, aerr := p.authenticate(r, body, "ecr", c)
	if aerr != nil {
		return p.fail(aerr, c)
	}
	carryOut := operation(c.Action)
	if carryOut == nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("X-Amz-Target"), ecrTarget) {
		return p.fail(errorf("UnknownOperationException", "ecrtest has no operation %q", c.Action), c)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if aerr := p.throttle(who.account(), c); aerr != nil {
		return p.fail(aerr, c)
	}
	result, aerr := carryOut(&ecrCall{Server: p.Server, r: r, who: who, call: c, body: body})
	if aerr != nil {
		return p.fail(aerr, c)
	}
	out, err := json.Marshal(result)
	if err != nil {
		return p.fail(&awsError{code: "ServerException", message: err.Error(), status: http.StatusInternalServerError}, c)
	}
	return response{status: http.StatusOK, body: out, header: jsonHeader()}
}

// ecrCall is one call of the ECR API. The server is locked while it is carried out.
type ecrCall struct {
	*Server
	r    *http.Request
	who  identity
	call *Call
	body []byte
}

// input decodes the parameters.
func (c *ecrCall) input(into any) *awsError {
	if err := json.Unmarshal(c.body, into); err != nil {
		return errorf("SerializationException", "%v", err)
	}
	return nil
}

// timestamp is awsJson's: seconds since 1970, with a fraction.
type timestamp time.Time

func (t timestamp) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Time(t).UnixMilli()) / 1000)
}

func getAuthorizationToken(c *ecrCall) (any, *awsError) {
	var in struct {
		RegistryIDs []string `json:"registryIds"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	if err := c.authorize("ecr:GetAuthorizationToken", "*", nil, nil); err != nil {
		return nil, err
	}
	accounts := in.RegistryIDs
	if len(accounts) == 0 {
		accounts = []string{c.who.account()}
	}
	if len(accounts) > 10 {
		return nil, invalidParameter("registryIds", "must have length less than or equal to 10")
	}
	now := c.now()
	c.prune()
	type data struct {
		Token         string    `json:"authorizationToken"`
		ExpiresAt     timestamp `json:"expiresAt"`
		ProxyEndpoint string    `json:"proxyEndpoint"`
	}
	var out struct {
		Data []data `json:"authorizationData"`
	}
	for _, account := range accounts {
		if !accountPattern.MatchString(account) {
			return nil, invalidParameter("registryIds", "must satisfy regular expression '[0-9]{12}'")
		}
		t := &token{who: c.who, keyID: c.call.AccessKeyID, region: c.call.Region, issued: now,
			expires: now.Add(c.cfg.TokenLifetime)}
		if c.cfg.TokenRights == FixedAtIssue {
			t.fixed = c.who.rights()
		}
		password := randomSecret(480)
		c.tokens[password] = t
		out.Data = append(out.Data, data{
			Token:         base64.StdEncoding.EncodeToString([]byte("AWS:" + password)),
			ExpiresAt:     timestamp(t.expires),
			ProxyEndpoint: c.proxyEndpoint(account, c.call.Region),
		})
	}
	return out, nil
}

// registryHost is the image registry's host for an account and region: the configured one for the server's own, and
// AWS's name, which Transport reaches, for others.
func (s *Server) registryHost(account, region string) string {
	if account == s.cfg.Account && region == s.cfg.Region {
		return s.RegistryHost
	}
	return account + ".dkr.ecr." + region + "." + s.dnsSuffix
}

func (s *Server) proxyEndpoint(account, region string) string {
	host := s.registryHost(account, region)
	if host == s.RegistryHost && !s.cfg.InMemory && s.cfg.RegistryHost == "" {
		return "http://" + host
	}
	return "https://" + host
}

func invalidParameter(name, rule string) *awsError {
	return errorf("InvalidParameterException", "Invalid parameter at '%s' failed to satisfy constraint: '%s'", name, rule)
}

// authorize decides an action of the call. repo is the repository that it is about, if there is one; add adds condition
// keys.
func (c *ecrCall) authorize(action, resource string, repo *repository, add func(iam.Context)) *awsError {
	account := c.who.account()
	if parts := strings.SplitN(resource, ":", 6); len(parts) == 6 {
		account = parts[4]
	}
	ctx := c.context(c.who, c.call.Region, c.r)
	if add != nil {
		add(ctx)
	}
	d := c.decide(c.who, c.who.rights(), action, resource, account, c.call.Region, repo, ctx)
	c.call.Resource, c.call.Decision = resource, d.String()
	if !d.Allowed {
		return errorf("AccessDeniedException", "%s", denial(c.who, action, resource, d))
	}
	return nil
}

// decide evaluates an ECR action under all policies that apply to it.
func (s *Server) decide(who identity, r *rights, action, resource, account, region string, repo *repository,
	ctx iam.Context) iam.Decision {
	policies := iam.Policies{
		ServiceControl: s.scps, Identity: r.policies, Boundary: r.boundary, Session: who.sessionPolicies(),
		SessionLimitsGrants: s.cfg.SessionPoliciesLimitGrants,
	}
	ctx.Set("aws:ResourceAccount", account)
	ctx.Set("aws:ResourceOrgID", s.cfg.OrganizationID)
	if reg := s.registries[registryKey{account, region}]; reg != nil && reg.policy != nil && resource != "*" {
		policies.Resource = append(policies.Resource, reg.policy)
	}
	if repo != nil {
		tags := repo.effectiveTags(s.now(), s.cfg.TagDelay)
		ctx.SetTags("aws:ResourceTag", tags)
		ctx.SetTags("ecr:ResourceTag", tags)
		if repo.policy != nil {
			policies.Resource = append(policies.Resource, repo.policy)
		}
	}
	return iam.Evaluate(iam.Request{
		Principal: who.principal(), Action: action, Resource: resource, Account: account, Context: ctx,
	}, policies)
}
