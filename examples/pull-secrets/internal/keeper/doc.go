// Package keeper keeps a pull secret in each namespace that is mapped to a project, as long as this replica leads.
//
// A namespace goes through two queues. In the first it is decided what has to be done (decide.go, look.go), and what isn't to be there is removed at once.
// The second (ask.go) asks the endpoint, which may take its time, and writes.
//
// What is known of a namespace is in state.go. Every write names the version that it replaces, is checked against the Lease right before, and, for a
// credential, against the namespace as the API server has it then: what was asked for a project that the namespace isn't mapped to any longer is thrown away.
package keeper
