package images

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awswire"
)

// Response is an answer before it is sent.
type Response = awswire.Response

// Failure is the answer of an error. Throttling has one code and status here, whatever it is called elsewhere.
func Failure(status int, code, message string) Response {
	if strings.Contains(strings.ToLower(code), "throttl") || code == "TOOMANYREQUESTS" {
		code, status = "TOOMANYREQUESTS", http.StatusTooManyRequests
	}
	type one struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	resp := jsonResponse(status, map[string][]one{"errors": {{code, message}}})
	resp.Code = code
	return resp
}

// Unauthorized is the answer to whoever has no token that ECR knows.
func Unauthorized(host string) Response {
	h := header("text/plain; charset=utf-8")
	h.Set("Www-Authenticate", `Basic realm="https://`+host+`/",service="ecr.amazonaws.com"`)
	return Response{Status: http.StatusUnauthorized, Header: h, Body: []byte("Not Authorized\n"), Code: "UNAUTHORIZED"}
}

func jsonResponse(status int, v any) Response {
	body, _ := json.Marshal(v) // strings, and maps and slices of them
	return Response{Status: status, Header: header("application/json; charset=utf-8"), Body: body}
}

func header(contentType string) http.Header {
	return http.Header{"Content-Type": {contentType}, "Docker-Distribution-Api-Version": {"registry/2.0"}}
}

// buffer is an http.ResponseWriter that keeps the answer.
type buffer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (b *buffer) Header() http.Header { return b.header }

func (b *buffer) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

func (b *buffer) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}

// response is what was written.
func (b *buffer) response() Response {
	b.WriteHeader(http.StatusOK)
	resp := Response{Status: b.status, Header: b.header, Body: b.body.Bytes()}
	var failure struct {
		Errors []struct{ Code string }
	}
	if b.status >= http.StatusBadRequest && json.Unmarshal(resp.Body, &failure) == nil && len(failure.Errors) > 0 {
		resp.Code = failure.Errors[0].Code
	}
	return resp
}
