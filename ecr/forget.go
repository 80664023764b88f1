package ecr

// ForgetAll lets go of the sessions that the provider keeps for itself, that of role_arn and those that the AWS SDK made of what it
// found (web identity, an instance's role): the next call makes new ones. It is for when their role was made again, or its sessions
// were revoked, which would else deny everything for up to an hour. Tenants' credentials aren't kept here; see registry/cache.
func (p *Provider) ForgetAll() { p.clients().assumer.controller.forget() }

func (c *controller) forget() {
	for _, kept := range []any{c.base, c.credentials} {
		if k, ok := kept.(interface{ Invalidate() }); ok {
			k.Invalidate()
		}
	}
}

// forgetEnded forgets credentials that, so says err, have ended. The SDK keeps them until this machine's clock says so, which may have
// been set back, or be behind and there was nothing to correct their end by. It reports whether to ask again.
func (c *controller) forgetEnded(err error) bool {
	code, last := apiCode(err), c.last.Load()
	if code != "ExpiredToken" && code != "ExpiredTokenException" || last == nil || !last.CanExpire {
		return false
	}
	c.forget()
	return true
}
