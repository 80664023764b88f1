package oci

// CreatesOnPush returns true: repositories of OCI registries appear when an image is pushed to them. Where a registry's
// own rules say otherwise, its operator makes them. It implements repository.PushCreator.
func (p *ClientAuth) CreatesOnPush() bool { return true }
