package identity

import "github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"

// Bindings keep to whom saved policies refer. AWS stores a principal's unique id in place of its ARN, so that a user or
// role that is made again is another principal.
type Bindings struct {
	ids   map[string]string // of the users and roles that there are, by ARN
	saved map[*iam.Policy]bool
}

// NewBindings makes bindings for nobody.
func NewBindings() *Bindings {
	return &Bindings{ids: map[string]string{}, saved: map[*iam.Policy]bool{}}
}

// Replace forgets a policy, which may be nil, and saves another one in its place, which may be nil.
func (b *Bindings) Replace(old, p *iam.Policy) {
	delete(b.saved, old)
	if p == nil {
		return
	}
	b.saved[p] = true
	for _, arn := range p.Principals() {
		if id := b.ids[arn]; id != "" {
			p.Bind(arn, id)
		}
	}
}

// made binds the policies that were waiting for a user or role.
func (b *Bindings) made(arn, id string) {
	b.ids[arn] = id
	for p := range b.saved {
		p.Bind(arn, id)
	}
}

func (b *Bindings) deleted(arn string) { delete(b.ids, arn) }
