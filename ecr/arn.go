package ecr

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// parseARN is arn.Parse that fails on ARNs which no policy should hold.
func parseARN(s string) (arn.ARN, bool) {
	a, err := arn.Parse(s)
	return a, err == nil && !strings.ContainsAny(s, "*?$ \t\r\n")
}

// assumedRole returns the account and role name of the ARN of an assumed role's session.
func assumedRole(sessionARN string) (account, role string, ok bool) {
	a, err := arn.Parse(sessionARN)
	if err != nil || a.Service != "sts" {
		return "", "", false
	}
	parts := strings.Split(a.Resource, "/")
	if len(parts) != 3 || parts[0] != "assumed-role" {
		return "", "", false
	}
	return a.AccountID, parts[1], true
}

// isRole reports whether an ARN is the role of that account and name, whatever its path.
func isRole(text, account, name string) bool {
	a, err := arn.Parse(text)
	return err == nil && a.AccountID == account && a.Resource[strings.LastIndexByte(a.Resource, '/')+1:] == name
}

// accountOf returns the account of an ARN, "" if it is none.
func accountOf(text string) string {
	a, err := arn.Parse(text)
	if err != nil {
		return ""
	}
	return a.AccountID
}
