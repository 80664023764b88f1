package operator

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/iampolicy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// policies prints the IAM policies for the configuration. It asks nobody.
type policies struct {
	Name          string   `arg:"" optional:"" help:"Print this one only, such as push or controller-trust."`
	ControllerARN string   `name:"controller-arn" placeholder:"ARN" help:"The controller role; default registry.role_arn."`
	Principals    []string `name:"principal" placeholder:"ARN" help:"A role or user that may assume the controller role, outside EKS."`
	Services      []string `name:"service" placeholder:"NAME" enum:"ecs-tasks,ec2,lambda" help:"A service of AWS that runs the service as the controller role, outside EKS: ecs-tasks, ec2 or lambda."`
	Operators     []string `name:"operator" placeholder:"ARN" help:"A role or user that the service control policy exempts beside the controller."`

	IRSAProvider       string `name:"irsa-provider" placeholder:"ARN" help:"The EKS cluster's OIDC provider, for IRSA."`
	PodIdentityCluster string `name:"pod-identity-cluster" placeholder:"ARN" help:"The EKS cluster, for Pod Identity."`
	Namespace          string `default:"rise-system" help:"The Kubernetes namespace of the service, for either."`
	ServiceAccount     string `default:"rise-backend" help:"The Kubernetes service account of the service, for either."`
}

func (c policies) options() iampolicy.Options {
	o := iampolicy.Options{ControllerARN: c.ControllerARN, Principals: c.Principals, Operators: c.Operators}
	for _, service := range c.Services {
		o.Services = append(o.Services, iampolicy.Service(service))
	}
	if c.IRSAProvider != "" {
		o.IRSA = iampolicy.IRSA{ProviderARN: c.IRSAProvider, Namespace: c.Namespace, ServiceAccount: c.ServiceAccount}
	}
	if c.PodIdentityCluster != "" {
		o.PodIdentity = iampolicy.PodIdentity{ClusterARN: c.PodIdentityCluster, Namespace: c.Namespace, ServiceAccount: c.ServiceAccount}
	}
	return o
}

func (c policies) Run(env *environment) error {
	configuration, p, err := env.load()
	if err != nil {
		return err
	}
	defer func() { _ = provider.Close(p) }() // it called nobody
	section, ok := configuration.Registry.Section().(*ecr.Config)
	if !ok {
		return fmt.Errorf("type %s has no IAM policies: they are for type %s", configuration.Registry.Type, ecr.Type)
	}
	r := provider.Request{Project: "hello", Access: provider.Push}
	if section.ProjectIDs {
		r.ProjectID = "hello-id"
	}
	session, err := iampolicy.Session(*section, r)
	if err != nil {
		return err
	}
	example := iampolicy.Policy{Name: "session", Document: session} // the service makes one for each credential
	switch c.Name {
	case "session":
		return c.print(env, []iampolicy.Policy{example})
	case "controller":
		return c.printOne(env)(iampolicy.Controller(*section))
	case "push":
		return c.printOne(env)(iampolicy.Push(*section))
	case "pull":
		return c.printOne(env)(iampolicy.Pull(*section))
	case "diagnose":
		return c.printOne(env)(iampolicy.Diagnose(*section, c.options()))
	}
	all, err := iampolicy.All(*section, c.options())
	if err != nil {
		return explain(err)
	}
	return c.print(env, append(all, example))
}

// printOne prints a policy that is the same whoever the controller is, so that nobody has to say that.
func (c policies) printOne(env *environment) func(iampolicy.Document, error) error {
	return func(d iampolicy.Document, err error) error {
		if err != nil {
			return explain(err)
		}
		return c.print(env, []iampolicy.Policy{{Name: c.Name, Document: d}})
	}
}

// print prints all policies as one JSON object by name, or one of them.
func (c policies) print(env *environment, all []iampolicy.Policy) error {
	var names []string
	encoder := json.NewEncoder(env.stdout)
	encoder.SetIndent("", "  ")
	object := make(map[string]iampolicy.Document, len(all))
	for _, p := range all {
		if p.Name == c.Name {
			return encoder.Encode(p.Document)
		}
		names, object[p.Name] = append(names, p.Name), p.Document
	}
	if c.Name != "" {
		return fmt.Errorf("there is no policy %q; there are %s", c.Name, strings.Join(names, ", "))
	}
	return encoder.Encode(object)
}

// explain names the flag of an option that is wrong.
func explain(err error) error {
	var wrong *provider.ConfigError
	if errors.As(err, &wrong) && wrong.Key == "controller_arn" {
		return fmt.Errorf("%w (flag --controller-arn)", err)
	}
	return err
}
