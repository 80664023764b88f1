// Package ecrapi is ECR's API: awsJson 1.1, an operation named by a header, JSON in and out.
//
// An operation is a function of a call, in the file of what it is about; each authorizes first, and says only then
// whether there is what it was asked about.
package ecrapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awswire"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
)

// Protocol is the API's.
type Protocol struct {
	cfg   Config
	cloud *cloud.Cloud
}

// New makes the API of a cloud.
func New(c *cloud.Cloud, cfg Config) *Protocol { return &Protocol{cfg, c} }

const targetPrefix = "AmazonEC2ContainerRegistry_V20150921."

// Describe implements awswire.Protocol.
func (p *Protocol) Describe(r *http.Request, body []byte, c *awswire.Call) {
	c.Action = strings.TrimPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	awswire.DescribeSignature(p.cloud, r, c)
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

// Fail implements awswire.Protocol.
func (p *Protocol) Fail(e *awserr.Error, _ *awswire.Call) awswire.Response {
	code, status := e.Code, e.Status
	if name, ok := jsonCodes[code]; ok {
		code, status = name, http.StatusBadRequest
	}
	body, _ := json.Marshal(map[string]string{"__type": code, "message": e.Message}) // plain strings
	h := header()
	h.Set("X-Amzn-Errortype", code)
	return awswire.Response{Status: status, Body: body, Code: code, Header: h}
}

func header() http.Header { return http.Header{"Content-Type": {"application/x-amz-json-1.1"}} }

// Handle implements awswire.Protocol.
func (p *Protocol) Handle(r *http.Request, body []byte, c *awswire.Call) awswire.Response {
	out, aerr := p.carryOut(r, body, c)
	if aerr != nil {
		return p.Fail(aerr, c)
	}
	return awswire.Response{Status: http.StatusOK, Body: out, Header: header()}
}

func (p *Protocol) carryOut(r *http.Request, body []byte, c *awswire.Call) ([]byte, *awserr.Error) {
	who, aerr := awswire.Authenticate(p.cloud, r, body, "ecr", c)
	if aerr != nil {
		return nil, aerr
	}
	carryOut := operation(c.Action)
	if carryOut == nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("X-Amz-Target"), targetPrefix) {
		return nil, awserr.New("UnknownOperationException", "ecrtest has no operation %q", c.Action)
	}
	p.cloud.Lock()
	defer p.cloud.Unlock()
	if aerr := p.cloud.Quotas.Take(who.Account(), c.Region, c.Name()); aerr != nil {
		return nil, aerr
	}
	result, aerr := carryOut(&call{cfg: p.cfg, cloud: p.cloud, http: r, body: body, who: who, record: c})
	if aerr != nil {
		return nil, aerr
	}
	out, err := json.Marshal(result)
	if err != nil {
		return nil, &awserr.Error{Code: "ServerException", Message: err.Error(), Status: http.StatusInternalServerError}
	}
	return out, nil
}
