package iampolicy_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/iampolicy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

func exampleConfig() ecr.Config {
	c := ecr.DefaultConfig()
	c.Region, c.AccountID = "eu-west-1", "123456789012"
	c.PushRoleARN = "arn:aws:iam::123456789012:role/rise-backend-ecr-push"
	c.Installation, c.SessionTags = "prod", true
	return c
}

// Everything to provision for a service that runs on EKS with IRSA.
func ExampleAll() {
	policies, err := iampolicy.All(exampleConfig(), iampolicy.Options{
		ControllerARN: "arn:aws:iam::123456789012:role/rise-backend",
		IRSA: iampolicy.IRSA{
			ProviderARN: "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE",
			Namespace:   "rise-system", ServiceAccount: "rise-backend",
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range policies {
		fmt.Println(p.Name, p.Document.Size())
	}
	// Output:
	// controller 2488
	// controller-trust 423
	// push 1479
	// push-trust 622
	// diagnose 606
	// service-control 497
}

// One policy, as a person reads it.
func ExampleUser() {
	policy, err := iampolicy.User(exampleConfig(), iampolicy.Options{ControllerARN: "arn:aws:iam::123456789012:role/rise-backend"})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := json.MarshalIndent(policy, "", "  ")
	fmt.Println(string(text), err)
	// Output:
	// {
	//   "Version": "2012-10-17",
	//   "Statement": [
	//     {
	//       "Sid": "Assume",
	//       "Effect": "Allow",
	//       "Action": "sts:AssumeRole",
	//       "Resource": "arn:aws:iam::123456789012:role/rise-backend"
	//     }
	//   ]
	// } <nil>
}

// Who would let in a whole account is told so.
func ExampleControllerTrust() {
	_, err := iampolicy.ControllerTrust(exampleConfig(), iampolicy.Options{Principals: []string{"arn:aws:iam::123456789012:root"}})
	fmt.Println(err)
	fmt.Println(errors.Is(err, provider.ErrMisconfigured))
	// Output:
	// principals[0]: must not be an account's root: it lets in everybody whom that account trusts; name roles or users
	// true
}
