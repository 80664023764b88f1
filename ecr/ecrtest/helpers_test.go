package ecrtest_test

import (
	"fmt"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// trustOf is a trust policy that lets a principal, given as JSON, assume the role and tag its session.
func trustOf(principal string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Principal":` +
		principal + `}}`
}

// webTrust is the trust policy of a role for one service account, as IRSA has it.
func webTrust(p *ecrtest.OIDCProvider) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity",` +
		`"Principal":{"Federated":"` + p.ARN + `"},"Condition":{"StringEquals":{"` + p.Issuer +
		`:aud":"sts.amazonaws.com","` +
		p.Issuer + `:sub":"system:serviceaccount:ns:sa"}}}}`
}

// format prints values in every way that fmt knows.
func format(values ...any) string {
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range values {
			_, _ = fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	return out.String()
}
