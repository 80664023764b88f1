// Package election has one of several replicas work, by a Lease of coordination.k8s.io: the protocol of client-go's leader election, whose package links
// every group of the API (see package cluster). Replicas of either kind would understand each other.
//
// A leader renews its Lease five times while it lasts, and stops when two thirds of it have gone by without; the others wait until the whole of it has, by
// their own clocks, as no two machines' clocks agree. What a leader has begun to write may still arrive late: writes therefore name the version that they
// replace.
package election
