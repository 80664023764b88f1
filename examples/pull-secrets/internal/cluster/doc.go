// Package cluster is what the controller asks a Kubernetes API server for, and nothing else: its own secrets, namespaces, events and one Lease.
//
// It stands on client-go's REST client with four kinds of objects. client-go's typed clients, and its leader election, which uses them, link every
// group of the API: 28 MB in place of 18.
package cluster
