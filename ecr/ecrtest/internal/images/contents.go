package images

import "github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"

// Contents are the registries of all accounts and regions. The mutex of the cloud that they belong to guards them.
type Contents struct {
	mountWithoutFrom bool
	byKey            map[repos.Key]*Registry
}

// NewContents makes contents whose registries are made with Config.MountWithoutFrom.
func NewContents(mountWithoutFrom bool) *Contents {
	return &Contents{mountWithoutFrom: mountWithoutFrom, byKey: map[repos.Key]*Registry{}}
}

// Of is what is pushed to an account's registry in a region, made when it is first asked for.
func (cs *Contents) Of(key repos.Key) *Registry {
	r := cs.byKey[key]
	if r == nil {
		r = New(Config{Account: key.Account, MountWithoutFrom: cs.mountWithoutFrom})
		cs.byKey[key] = r
	}
	return r
}
