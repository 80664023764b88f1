// Package sts is AWS STS: the AWS query protocol, in which a form is answered by XML.
package sts

import (
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awswire"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
)

// Protocol is STS's.
type Protocol struct{ cloud *cloud.Cloud }

// New makes STS of a cloud.
func New(c *cloud.Cloud) *Protocol { return &Protocol{c} }

// parse reads the form; an empty one when there is none.
func parse(r *http.Request, body []byte) (url.Values, bool) {
	form, err := url.ParseQuery(string(body))
	if err != nil || r.Method != http.MethodPost {
		return url.Values{}, false
	}
	return form, true
}

// Describe implements awswire.Protocol.
func (p *Protocol) Describe(r *http.Request, body []byte, c *awswire.Call) {
	form, _ := parse(r, body)
	c.Action = form.Get("Action")
	c.Form = maps.Clone(form)
	c.Form.Del("WebIdentityToken")
	c.Form.Del("SAMLAssertion")
	c.Form.Del("TokenCode")
	awswire.DescribeSignature(p.cloud, r, c)
}

// Fail implements awswire.Protocol.
func (p *Protocol) Fail(e *awserr.Error, c *awswire.Call) awswire.Response {
	type failure struct {
		XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}
	kind := "Sender"
	if e.Status >= 500 {
		kind = "Receiver"
	}
	body, _ := xml.Marshal(failure{Type: kind, Code: e.Code, Message: e.Message, RequestID: c.RequestID}) // plain strings
	return awswire.Response{Status: e.Status, Body: body, Code: e.Code, Header: header()}
}

func header() http.Header { return http.Header{"Content-Type": {"text/xml"}} }

// Handle implements awswire.Protocol.
func (p *Protocol) Handle(r *http.Request, body []byte, c *awswire.Call) awswire.Response {
	result, aerr := p.carryOut(r, body, c)
	if aerr != nil {
		return p.Fail(aerr, c)
	}
	type answer struct {
		XMLName   xml.Name
		Result    any
		RequestID string `xml:"ResponseMetadata>RequestId"`
	}
	out, err := xml.Marshal(answer{
		XMLName: xml.Name{Space: "https://sts.amazonaws.com/doc/2011-06-15/", Local: c.Action + "Response"}, Result: result,
		RequestID: c.RequestID,
	})
	if err != nil {
		return p.Fail(&awserr.Error{Code: "InternalFailure", Message: err.Error(), Status: http.StatusInternalServerError}, c)
	}
	return awswire.Response{Status: http.StatusOK, Body: out, Header: header()}
}

func (p *Protocol) carryOut(r *http.Request, body []byte, c *awswire.Call) (any, *awserr.Error) {
	form, ok := parse(r, body)
	if !ok {
		return nil, awserr.New("MalformedQueryString", "The query string contains a syntax error.")
	}
	q := &request{cloud: p.cloud, http: r, form: form, call: c}
	account := p.cloud.Account
	if c.Action != withWebIdentity { // the one that isn't signed
		var aerr *awserr.Error
		if q.who, aerr = awswire.Authenticate(p.cloud, r, body, "sts", c); aerr != nil {
			return nil, aerr
		}
		account = q.who.Account()
	}
	p.cloud.Lock()
	defer p.cloud.Unlock()
	if aerr := p.cloud.Quotas.Take(account, c.Region, c.Name()); aerr != nil {
		return nil, aerr
	}
	switch c.Action {
	case "AssumeRole":
		return assumeRole(q)
	case withWebIdentity:
		return assumeRoleWithWebIdentity(q)
	case "GetCallerIdentity": // needs no permission
		return newCallerIdentity(q.who), nil
	}
	return nil, awserr.New("InvalidAction", "Could not find operation %s for version %s (ecrtest has AssumeRole, "+
		"AssumeRoleWithWebIdentity and GetCallerIdentity)", c.Action, form.Get("Version"))
}
