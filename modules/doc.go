// Package modules holds the tests of the Terraform modules below it: that they are documented and formatted, that what they
// put out is a configuration of the library, and Terraform's own tests.
package modules
