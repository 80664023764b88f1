package cloud

import (
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

// Registries are the ECR of all accounts and regions.
type Registries struct {
	partition       string
	maxRepositories int
	bindings        *identity.Bindings
	content         func(repos.Key) repos.Content
	byKey           map[repos.Key]*repos.Registry
}

func newRegistries(partition string, maxRepositories int, bindings *identity.Bindings,
	content func(repos.Key) repos.Content) *Registries {
	return &Registries{partition: partition, maxRepositories: maxRepositories, bindings: bindings, content: content,
		byKey: map[repos.Key]*repos.Registry{}}
}

// Of is an account's registry in a region, made when it is first asked for.
func (rs *Registries) Of(account, region string) *repos.Registry {
	key := repos.Key{Account: account, Region: region}
	reg := rs.byKey[key]
	if reg == nil {
		reg = repos.NewRegistry(key, rs.partition, rs.maxRepositories, rs.content(key))
		rs.byKey[key] = reg
	}
	return reg
}

// SetRepositoryPolicy saves a repository policy; "" removes it.
func (rs *Registries) SetRepositoryPolicy(r *repos.Repository, text string) error {
	p, err := parse(text, iam.Repository)
	if err == nil {
		rs.bindings.Replace(r.Policy, p)
		r.PolicyText, r.Policy = text, p
	}
	return err
}

// SetRegistryPolicy saves a registry policy; "" removes it.
func (rs *Registries) SetRegistryPolicy(reg *repos.Registry, text string) error {
	p, err := parse(text, iam.Resource)
	if err == nil {
		rs.bindings.Replace(reg.Policy, p)
		reg.PolicyText, reg.Policy = text, p
	}
	return err
}

func parse(text string, kind iam.Kind) (*iam.Policy, error) {
	if text == "" {
		return nil, nil
	}
	return iam.Parse(text, kind)
}

// Delete deletes a repository with all that is in it.
func (rs *Registries) Delete(r *repos.Repository) {
	rs.bindings.Replace(r.Policy, nil)
	rs.byKey[r.Key].Remove(r.Name)
}
