// Package identity is who there is: users and roles, the sessions of roles, the keys that stand for them, and whom else
// roles trust (OIDC providers, the pods of EKS). Each kind is kept in a store of its own.
//
// A policy names users and roles by ARN but means those that were there when it was saved, or the first to come: see
// Bindings. Nothing here is locked; package cloud says who locks.
package identity
