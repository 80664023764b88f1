// Package iam evaluates AWS IAM policies as AWS documents it, for package ecrtest.
//
// Parse reads a policy document; Evaluate decides a Request under the policies that apply to it:
//
//	policy, err := iam.Parse(document, iam.Identity)
//	decision := iam.Evaluate(iam.Request{Principal: p, Action: "ecr:PutImage", Resource: arn}, iam.Policies{
//		Identity: []*iam.Policy{policy},
//	})
//	if !decision.Allowed {
//		return errors.New(decision.Because("ecr:PutImage"))
//	}
//
// The logic follows the IAM User Guide: "Policy evaluation logic", "IAM JSON policy elements reference" and, for the
// wording of denials, "Troubleshoot access denied error messages".
package iam
