// Package source knows where the AWS SDK finds credentials that it doesn't sign for: the endpoints of ECS, EKS Pod Identity and EC2, by plain
// HTTP at addresses that a proxy or a captive page may answer for. What they answer holds keys, and what others answer may hold what they
// were sent: nothing of it is ever shown.
package source

import (
	"net/netip"
)

// The sources' names.
const (
	ECS       = "the ECS credentials endpoint"
	Pod       = "the EKS Pod Identity agent"
	Container = "the container credentials endpoint"
	IMDS      = "the EC2 instance metadata service"
)

// The addresses of the sources, which NO_PROXY has to hold where a proxy is set.
const (
	AddressECS   = "169.254.170.2"
	AddressPod   = "169.254.170.23"
	AddressPod6  = "fd00:ec2::23"
	AddressIMDS  = "169.254.169.254"
	AddressIMDS6 = "fd00:ec2::254"
)

// A Source is one that failed, and how: what may be shown of it.
type Source struct {
	// Name is one of the sources' names.
	Name string
	// Host is where it was asked; empty if that isn't known.
	Host string
	// Status is the answer's; 0 if there was none.
	Status int
	// Put: it was IMDS's call for a token.
	Put bool
	// Code is what the source calls its refusal; empty if it was no refusal of its own.
	Code string
}

// At is the source's name and host.
func (s Source) At() string {
	if s.Host == "" {
		return s.Name
	}
	return s.Name + " at " + s.Host
}

// getCredentials is the name of the SDK's call to the container endpoints; those to IMDS have others.
const getCredentials = "GetCredentials"

func nameOf(call, host string) string {
	address, err := netip.ParseAddr(host)
	if err == nil {
		switch address.Unmap().String() {
		case AddressECS:
			return ECS
		case AddressPod, AddressPod6:
			return Pod
		}
	}
	if call == getCredentials {
		return Container
	}
	return IMDS
}
