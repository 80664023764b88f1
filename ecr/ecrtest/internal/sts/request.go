package sts

import (
	"net/http"
	"net/url"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awswire"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
)

// request is a call while it is carried out. The cloud is locked meanwhile.
type request struct {
	cloud *cloud.Cloud
	http  *http.Request
	who   identity.Caller // zero when the call isn't signed
	form  url.Values
	call  *awswire.Call
}

func (q *request) conditions() iam.Context {
	return awswire.Conditions(q.cloud, q.who, q.call.Region, q.http)
}
